"""A digest of a drill's definition, so that figures from before and after an edit are not compared."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
from collections.abc import Mapping, Sequence, Set

import msgspec

from harness.model.drill import Drill


def definition_of(drill: Drill) -> str:
    """A short digest of a drill's system, workload, load, faults, checks and SLOs, down to their last field.

    It covers values, those of a check such as `balanced_within(1.35)` as well: a new comment or a new order of lines does not
    change it. It leaves out when the drill runs (`nightly`) and the code of its classes, which the commit identifies.
    """
    said = {field.name: _said(getattr(drill, field.name)) for field in dataclasses.fields(drill) if field.name != "nightly"}
    return hashlib.sha256(msgspec.json.encode(said, order="deterministic")).hexdigest()[:16]


def _said(value: object) -> object:
    """A value in JSON's terms; an object becomes its class and its fields."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Mapping):
        return [[_said(key), _said(item)] for key, item in value.items()]
    if isinstance(value, Set):
        return sorted((_said(item) for item in value), key=msgspec.json.encode)
    if isinstance(value, Sequence):
        return [_said(item) for item in value]
    return {"class": _name(type(value)), "fields": _fields(value)}


def _fields(value: object) -> object:
    if isinstance(value, msgspec.Struct):
        return {name: _said(getattr(value, name)) for name in value.__struct_fields__}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: _said(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(getattr(value, "__qualname__", None), str):  # a function, such as a checker, or a class
        bounds = _bounds(value)
        return [_name(value), *bounds] if bounds else _name(value)
    return {name: _said(item) for name, item in sorted(vars(value).items())} if hasattr(value, "__dict__") else {}


def _bounds(function: object) -> list[object]:
    """The numbers and texts that a function was made with, by the one that it was defined in."""
    made_with: list[object] = []
    for cell in getattr(function, "__closure__", None) or ():
        with contextlib.suppress(ValueError):  # a name that was never given a value
            made_with.append(cell.cell_contents)
    return [value for value in made_with if isinstance(value, bool | int | float | str)]


def _name(named: object) -> str:
    return f"{getattr(named, '__module__', '')}:{getattr(named, '__qualname__', '')}"
