"""The format of the published list: documents, canonical CSV, keyrings, signatures and subjects."""
