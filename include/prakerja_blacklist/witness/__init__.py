"""A witness of the published list: somebody else than the publisher, who signs what continues what they have seen."""
