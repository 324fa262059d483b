"""A reader of the published list: sources, verification, syncing, freshness, and an example of a system that uses it.

This room imports the standard library, `cryptography` and the format, and nothing else of the package.
"""
