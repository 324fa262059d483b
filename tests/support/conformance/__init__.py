"""The conformance kit as the simulated publisher makes it: `python -m tests.support.conformance` writes its data."""
