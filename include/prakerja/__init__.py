"""Prakerja Deadlines: who bought a first training in time, who is reminded, who is revoked, and the list of them."""
