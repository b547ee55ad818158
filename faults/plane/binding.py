"""Binds values of a JSON body to typed fields. Errors are worded as in Go's `encoding/json`."""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Final, TypeVar, get_args, get_origin

import msgspec

from faults.plane.gojson import Json, JsonError, Number, Object

Int = Annotated[int, "int"]
"""An integer that Toxiproxy declares as `int` rather than `int64`. Only error messages show the difference."""

Scalar = str | int | float | bool | tuple[float, ...]

_GO_NAMES: Final[Mapping[object, str]] = {str: "string", int: "int64", float: "float64", bool: "bool", tuple: "[]float64"}
_MAX_FLOAT32: Final = struct.unpack("<f", b"\xff\xff\x7f\x7f")[0]
_StructT = TypeVar("_StructT", bound=msgspec.Struct)


@dataclass(frozen=True)
class Place:
    """An object's place as Go's messages name it: the struct that it is bound to and the path of its fields."""

    struct: str
    path: str = ""

    def field(self, name: str) -> str:
        return f"Go struct field {self.struct}.{self.path}{name}"


def fields_of(value: Json, whole: str) -> dict[str, Json]:
    """The fields of an object by lower-case name. The last of equal names wins, nulls are left out, and `null` has no fields.

    Raises `JsonError` if the value is no object; `whole` is the object's place in Go's words.
    """
    if value is None:
        return {}
    if not isinstance(value, Object):
        raise _misfit(value, whole)
    return {key.lower(): inner for key, inner in value.pairs if inner is not None}


def items_of(value: Json, whole: str) -> list[Json]:
    """The items of an array; `null` has none. Raises `JsonError` as `fields_of` does."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise _misfit(value, whole)
    return value


def text(fields: Mapping[str, Json], name: str, place: Place, default: str) -> str:
    return str(_scalar(fields[name], str, place.field(name))) if name in fields else default


def boolean(fields: Mapping[str, Json], name: str, place: Place, default: bool) -> bool:
    return bool(_scalar(fields[name], bool, place.field(name))) if name in fields else default


def float32(fields: Mapping[str, Json], name: str, place: Place, default: float) -> float:
    """A number rounded to 32 bits. Raises `JsonError` if it is too large for them."""
    if name not in fields:
        return default
    value = fields[name]
    where = f"{place.field(name)} of type float32"
    if not isinstance(value, Number):
        raise _misfit(value, where)
    number = float(value.text)
    if not abs(number) <= _MAX_FLOAT32:
        raise JsonError(f"json: cannot unmarshal number {value.text} into {where}")
    return float(struct.unpack("<f", struct.pack("<f", number))[0])


def shortest_float32(value: float) -> float | int:
    """A 32-bit number as Go prints it: with the fewest digits that identify it."""
    for digits in range(1, 10):
        short = float(f"{value:.{digits}g}")
        if abs(short) <= _MAX_FLOAT32 and struct.pack("<f", short) == struct.pack("<f", value):
            return int(short) if short.is_integer() and abs(short) < 1e15 else short
    return value


def updated(attributes: _StructT, value: Json, place: Place, whole: str) -> _StructT:
    """A copy of `attributes` in which the fields that an object names are replaced; what else it names is ignored."""
    fields = fields_of(value, whole)
    changes = {}
    for field in msgspec.structs.fields(attributes):
        if field.name in fields:
            changes[field.name] = _scalar(fields[field.name], field.type, place.field(field.name))
    return msgspec.structs.replace(attributes, **changes)


def _scalar(value: Json, annotation: object, where: str) -> Scalar:
    kind, go_name = _kind_and_name(annotation)
    if kind in (str, bool) and isinstance(value, str | bool) and type(value) is kind:
        return value
    if kind is int and isinstance(value, Number):
        return _integer(value.text, f"{where} of type {go_name}")
    if kind is float and isinstance(value, Number):
        return _float(value.text, f"{where} of type {go_name}")
    if kind is tuple and isinstance(value, list):
        return tuple(float(_scalar(item, float, where)) for item in value)  # type: ignore[arg-type]  # all are floats
    raise _misfit(value, f"{where} of type {go_name}")


def _kind_and_name(annotation: object) -> tuple[object, str]:
    if get_origin(annotation) is Annotated:
        kind, go_name = get_args(annotation)
        return kind, go_name
    kind = get_origin(annotation) or annotation
    return kind, _GO_NAMES[kind]


def _integer(written: str, where: str) -> int:
    try:
        value = int(written) if len(written) < 25 else None
    except ValueError:
        value = None
    if value is None or not -(1 << 63) <= value < 1 << 63:
        raise JsonError(f"json: cannot unmarshal number {written} into {where}")
    return value


def _float(written: str, where: str) -> float:
    value = float(written)
    if not math.isfinite(value):
        raise JsonError(f"json: cannot unmarshal number {written} into {where}")
    return value


def _misfit(value: Json, where: str) -> JsonError:
    return JsonError(f"json: cannot unmarshal {_kind_of(value)} into {where}")


def _kind_of(value: Json) -> str:
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, str):
        return "string"
    if isinstance(value, Number):
        return "number"
    return "object" if isinstance(value, Object) else "array"
