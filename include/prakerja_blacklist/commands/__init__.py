"""The commands of `prakerja-blacklist`, a module each: `HELP`, `add_arguments` and `run`, which returns the exit code.

`prakerja blacklist` calls the same functions, with the keys and the schedule of its home.
"""
