"""Phrases that several checkers' verdicts share."""

from __future__ import annotations

from collections.abc import Sequence

MOST_NAMES = 10
"""How many names a sentence lists before it says how many more there are."""

_LONGEST = 100
"""How much of a value a sentence quotes."""


def count(number: int, noun: str) -> str:
    """The number with its noun: "1 write", "12,000 writes"."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def listed(names: Sequence[str]) -> str:
    """The names, separated by commas; beyond `MOST_NAMES` only how many more there are."""
    shown = ", ".join(names[:MOST_NAMES])
    return shown if len(names) <= MOST_NAMES else f"{shown} and {len(names) - MOST_NAMES:,} more"


def quoted(value: object) -> str:
    """A register's value as a sentence names it, shortened; null, the initial value of a key, is "nothing"."""
    if not isinstance(value, str):
        return "nothing"
    if not value.strip():
        return f'"{value[:_LONGEST]}"'
    return value if len(value) <= _LONGEST else f"{value[:_LONGEST]}… ({len(value):,} characters)"
