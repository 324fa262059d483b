"""The publisher: it decides the next version in the warehouse, writes its files, rotates keys, and verifies them."""
