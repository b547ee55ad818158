"""The search for an order of calls that explains what was answered.

`problem` turns calls into numbers, `search` looks for an order (`_compiled.c` is the same search, compiled, and used if it
could be built), `rounds` decides how hard to look, `smallest` finds the fewest calls that have none.
"""
