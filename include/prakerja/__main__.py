"""`python -m prakerja`: the command line, where its script is not installed."""

from prakerja.cli import main

main()
