"""The one spelling of each JSON value, so that equal values have equal texts.

Nodes and clients import this, so it imports neither pandas nor NumPy.
"""

from __future__ import annotations

from functools import lru_cache
from types import NoneType
from typing import Final

import msgspec

EXACT: Final = 2**53
"""Floating-point numbers hold every whole number up to here."""

_PLAIN: Final = frozenset({str, int, bool, NoneType})


def canonical(value: object) -> str:
    """A JSON value as text; equal values have equal texts: sorted keys, no spaces, 1.0 as 1. Raises `RecursionError`."""
    return msgspec.json.encode(_whole(value), order="deterministic").decode()


def canonical_text(text: str) -> str:
    """The text as canonical JSON if it is an array or an object in JSON, else as it is."""
    if text[:1] not in ("[", "{"):
        return text
    try:
        return canonical(msgspec.json.decode(text))
    except (msgspec.DecodeError, RecursionError):
        return text


@lru_cache(maxsize=100_000)
def answer_text(text: object) -> str | None:
    """An answer as canonical JSON, that of null if there is no text; None if it is no JSON."""
    try:
        return canonical(msgspec.json.decode(text)) if isinstance(text, str) else canonical(None)
    except (msgspec.DecodeError, RecursionError):
        return None


def element_text(element: object) -> str:
    """The text of an element of a JSON array. A string stands for itself; arrays and objects are canonical JSON in any case."""
    if isinstance(element, str):
        return canonical_text(element)
    return canonical(element) if isinstance(element, list | dict) else msgspec.json.encode(element).decode()


def _whole(value: object) -> object:
    """The value, with whole floats turned into integers."""
    match value:
        case float() if value.is_integer():
            return int(value) if abs(value) <= EXACT else _digits(value)
        case dict():
            return {str(name): _whole(inner) for name, inner in value.items()}
        case list() if set(map(type, value)) <= _PLAIN:  # the usual case, at the speed of C
            return value
        case list() | tuple():
            return [_whole(inner) for inner in value]
        case _ if hasattr(value, "tolist"):  # of NumPy, which nodes do not import
            return _whole(value.tolist())
        case _:
            return value


def _digits(value: float) -> int:
    """The whole number that a large float's shortest text stands for: 1e23 is 10**23, although the float itself is not."""
    digits, _, exponent = repr(value).partition("e")
    whole, _, fraction = digits.partition(".")
    fraction = fraction.rstrip("0")
    power: int = 10 ** (int(exponent or 0) - len(fraction))
    return int(whole + fraction) * power
