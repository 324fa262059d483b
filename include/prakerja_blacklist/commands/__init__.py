"""The commands of `prakerja-blacklist`, a module for each: `HELP`, `add_arguments` and `run`."""
