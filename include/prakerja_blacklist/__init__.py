"""The published list of those who may not register: its format and a reader.

It is a distribution of its own: the standard library and `cryptography` are all that it imports.
"""

__version__ = "0.2.0"
