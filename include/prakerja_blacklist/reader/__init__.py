"""A reader of the published list: sources, verification, syncing, freshness, and an example of its use."""
