"""Reads the bodies of requests.

Every function raises `ApiError` or `JsonError` for an invalid body, and warns of fields that it does not know.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import msgspec

from faults.plane import binding, errors, gojson
from faults.plane.binding import Place, fields_of
from faults.plane.gojson import Json
from faults.plane.proxies import ProxySpec
from faults.plane.proxy import Proxy
from faults.plane.scope import Scope
from faults.plane.toxic import Direction, Toxic
from faults.plane.toxics import KINDS

_PROXY: Final = Place("Proxy")
_POPULATED: Final = Place("", "Proxy.")
_POPULATED_TYPE: Final = r'struct { toxiproxy.Proxy; Enabled *bool "json:\"enabled\"" }'
_WRAPPER: Final = Place("ToxicWrapper")
_UPDATE: Final = Place("")
_UPDATE_TYPE: Final = r'struct { Attributes interface {} "json:\"attributes\""; Toxicity float32 "json:\"toxicity\"" }'
_PROXY_FIELDS: Final = ("name", "listen", "upstream", "enabled", "toxics", "initial_toxics", "logger")
_TOXIC_FIELDS: Final = ("name", "type", "stream", "toxicity", "attributes")
_SHOWN_CHARACTERS: Final = 40
_DIRECTIONS: Final[Mapping[str, Direction]] = {"upstream": "upstream", "downstream": "downstream"}

Warn = Callable[[str], None]
"""Called with a sentence about something that was ignored and may be a mistake."""


def proxy_to_create(body: bytes, warn: Warn) -> ProxySpec:
    fields = fields_of(gojson.read(body), "Go value of type toxiproxy.Proxy")
    spec = _spec(fields, ProxySpec(name="", listen="", upstream="", enabled=True), _PROXY, _PROXY, warn)
    if not spec.name:
        raise errors.missing_field("name")
    if not spec.upstream:
        raise errors.missing_field("upstream")
    return spec


def proxy_to_update(body: bytes, proxy: Proxy, warn: Warn) -> ProxySpec:
    """The proxy as it is, with the fields that the body names replaced."""
    fields = fields_of(gojson.read(body), "Go value of type toxiproxy.Proxy")
    present = ProxySpec(name=proxy.name, listen=proxy.listen, upstream=proxy.upstream, enabled=proxy.enabled)
    return _spec(fields, present, _PROXY, _PROXY, warn)


def proxies_to_populate(body: bytes, warn: Warn) -> list[ProxySpec]:
    values = binding.items_of(gojson.read(body), f"Go value of type []{_POPULATED_TYPE}")
    return [_populated(index, value, warn) for index, value in enumerate(values, 1)]


def _populated(index: int, value: Json, warn: Warn) -> ProxySpec:
    fields = fields_of(value, f"Go value of type {_POPULATED_TYPE}")
    spec = _spec(fields, ProxySpec(name="", listen="", upstream="", enabled=True), _POPULATED, Place(""), warn)
    if not spec.name:
        raise errors.missing_field(f"name at proxy {index}")
    if not spec.upstream:
        raise errors.missing_field(f"upstream at proxy {index}")
    return spec


def _spec(fields: Mapping[str, Json], default: ProxySpec, place: Place, enabled_place: Place, warn: Warn) -> ProxySpec:
    spec = ProxySpec(
        name=binding.text(fields, "name", place, default.name),
        listen=binding.text(fields, "listen", place, default.listen),
        upstream=binding.text(fields, "upstream", place, default.upstream),
        enabled=binding.boolean(fields, "enabled", enabled_place, default.enabled),
        toxics=_initial_toxics(fields.get("initial_toxics"), warn),
    )
    if "://" in spec.upstream:
        raise errors.upstream_is_url(spec.upstream)
    if unknown := _unknown("a proxy has no field", fields, _PROXY_FIELDS):
        warn(unknown)
    return spec


def _initial_toxics(value: Json, warn: Warn) -> tuple[Toxic, ...]:
    toxics: dict[str, Toxic] = {}
    for item in binding.items_of(value, f"{_PROXY.field('initial_toxics')} of type []toxics.ToxicWrapper"):
        toxic = _toxic(item, toxics.__contains__, warn)
        toxics[toxic.name] = toxic
    return tuple(toxics.values())


def toxic_to_create(body: bytes, taken: Callable[[str], bool], warn: Warn) -> Toxic:
    """The toxic that a body describes. `taken` says whether a name is in use. Checks run in Toxiproxy's order."""
    return _toxic(gojson.read(body), taken, warn)


def _toxic(value: Json, taken: Callable[[str], bool], warn: Warn) -> Toxic:
    fields = fields_of(value, "Go value of type toxics.ToxicWrapper")
    name = binding.text(fields, "name", _WRAPPER, "")
    kind_name = binding.text(fields, "type", _WRAPPER, "")
    stream = binding.text(fields, "stream", _WRAPPER, "downstream")
    toxicity = binding.float32(fields, "toxicity", _WRAPPER, 1.0)
    fields_of(fields.get("attributes"), f"{_WRAPPER.field('attributes')} of type toxics.NoopToxic")
    direction = _DIRECTIONS.get(stream.lower())
    if direction is None:
        raise errors.invalid_stream()
    kind = KINDS.get(kind_name)
    if kind is None:
        raise errors.invalid_toxic_type()
    name = name or f"{kind_name}_{stream}"
    if taken(name):
        raise errors.toxic_exists()
    toxic = Toxic(name, kind_name, stream, direction, toxicity, kind, kind.attributes())
    toxic.attributes, toxic.scope = _attributes(toxic, fields, _WRAPPER, warn)
    return toxic


def toxic_to_update(body: bytes, toxic: Toxic, warn: Warn) -> tuple[msgspec.Struct, Scope, float]:
    """The toxic's attributes, scope and toxicity, with those that the body names replaced."""
    fields = fields_of(gojson.read(body), f"Go value of type {_UPDATE_TYPE}")
    attributes, scope = _attributes(toxic, fields, _UPDATE, warn)
    return attributes, scope, binding.float32(fields, "toxicity", _UPDATE, toxic.toxicity)


def _attributes(toxic: Toxic, fields: Mapping[str, Json], owner: Place, warn: Warn) -> tuple[msgspec.Struct, Scope]:
    """The attributes of the toxic's kind and those common to all kinds, with those that the body names replaced."""
    value = fields.get("attributes")
    type_name = type(toxic.attributes).__name__
    place, whole = Place(type_name, "attributes."), f"{owner.field('attributes')} of type toxics.{type_name}"
    attributes = binding.updated(toxic.attributes, value, place, whole)
    scope = binding.updated(toxic.scope, value, place, whole)
    fault = toxic.kind.check(attributes) or scope.fault(connects=toxic.kind.connect is not None)
    unknown = _unknown("a toxic has no field", fields, _TOXIC_FIELDS) or _unknown(
        f"{toxic.type} has no attribute", fields_of(value, whole), (*attributes.__struct_fields__, *scope.__struct_fields__)
    )
    if unknown and not toxic.kind.lenient:
        fault = fault or unknown
    if fault is not None:
        raise errors.bad_body(fault)
    if unknown:
        warn(unknown)
    return attributes, scope


def _unknown(complaint: str, fields: Mapping[str, Json], known: Sequence[str]) -> str | None:
    """A sentence about the first unknown field; None if all are known."""
    unknown = next((name for name in fields if name not in known), None)
    if unknown is None:
        return None
    near = difflib.get_close_matches(unknown, known, n=1)
    shown = unknown if len(unknown) <= _SHOWN_CHARACTERS else f"{unknown[:_SHOWN_CHARACTERS]}…"
    hint = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(known)}"
    return f"{complaint} {shown!r}; {hint}"
