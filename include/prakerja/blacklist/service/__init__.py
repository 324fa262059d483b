"""The service over the published list: a process of its own, which answers from a verified copy on its own disk."""
