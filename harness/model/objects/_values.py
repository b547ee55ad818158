"""How structured values are spelled in a history's text column."""

from __future__ import annotations

import msgspec

from harness.model.canonical import canonical_text, element_text
from harness.model.object_model import Call


def elements(call: Call) -> tuple[str | None, ...]:
    """The elements of a value that is a JSON array, as texts.

    A string stands for itself, null is None, and anything else is its JSON text, as `single` tells single values.
    Raises `ValueError` if the value is not an array.
    """
    try:
        found = msgspec.json.decode(call.value or "", type=list[object])
    except msgspec.DecodeError as error:
        raise ValueError(f"the value of {call.kind} must be a JSON array; it is {call.value!r}") from error
    return tuple(None if item is None else element_text(item) for item in found)


def single(call: Call) -> str | None:
    """The value as `elements` tells it in an array."""
    return None if call.value is None else canonical_text(call.value)


def number(call: Call, default: int) -> int:
    """The value as a whole number, `default` if it is null. Raises `ValueError` if it is anything else."""
    if call.value is None:
        return default
    try:
        return int(call.value)
    except ValueError as error:
        raise ValueError(f"the value of {call.kind} must be a whole number; it is {call.value!r}") from error
