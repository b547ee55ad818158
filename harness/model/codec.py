"""Encode frozen dataclasses as JSON and back, so that a system and its workload can be sent to the generator's process."""

from __future__ import annotations

import dataclasses
import importlib
from typing import cast

import msgspec

from harness.model.errors import UsageError


class Described(msgspec.Struct, frozen=True):
    """A dataclass value as JSON: the import path of its class, and its fields."""

    type: str
    fields: dict[str, object]


def describe(value: object) -> Described:
    """A frozen dataclass value as JSON-shaped data. Raises `UsageError` if another process could not read it back."""
    kind = type(value)
    try:
        found = getattr(importlib.import_module(kind.__module__), kind.__name__, None)
    except ImportError:
        found = None
    if found is not kind:
        raise UsageError(
            f"{kind.__name__} is defined where other processes cannot import it ({kind.__module__})."
            " Put it at the top level of a module of its own."
        )
    if not dataclasses.is_dataclass(kind):
        raise UsageError(f"{kind.__name__} is no dataclass. Write @dataclass(frozen=True, kw_only=True) above it.")
    fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(kind)}
    try:
        return Described(f"{kind.__module__}:{kind.__name__}", cast(dict[str, object], msgspec.to_builtins(fields)))
    except TypeError as error:
        raise UsageError(
            f"{kind.__name__} has a field that cannot be sent to another process: {error}."
            " Use texts, numbers, and dataclasses and sequences of these."
        ) from error


def restore(described: Described) -> object:
    """Rebuild the value, its fields converted to their declared types."""
    module, _, name = described.type.partition(":")
    return msgspec.convert(described.fields, getattr(importlib.import_module(module), name))
