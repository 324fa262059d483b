"""The format of the published list: documents, canonical CSV, keyrings, signatures and subjects.

This room stands alone. It imports the standard library and `cryptography`, and nothing else of the package.
"""
