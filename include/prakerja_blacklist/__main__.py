"""`python -m prakerja_blacklist`: the command line, where its script is not installed."""

from prakerja_blacklist.cli import main

main()
