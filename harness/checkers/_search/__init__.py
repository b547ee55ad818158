"""The search for an order of calls that explains the answers.

`problem` turns calls into numbers, `search` looks for an order (`_compiled.c` is the same search in C, used if it could be
built), `rounds` decides how hard to search, and `smallest` finds the fewest calls that have no order.
"""
