"""What the bodies of requests ask for. Every function raises `ApiError` or `JsonError` for a body that makes no sense."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from faults.plane import binding, errors, gojson
from faults.plane.binding import Place, fields_of
from faults.plane.gojson import Json
from faults.plane.kind import Kind
from faults.plane.proxies import ProxySpec
from faults.plane.proxy import Proxy
from faults.plane.toxic import Direction, Toxic
from faults.plane.toxics import KINDS

_PROXY: Final = Place("Proxy")
_POPULATED: Final = Place("", "Proxy.")
_POPULATED_TYPE: Final = r'struct { toxiproxy.Proxy; Enabled *bool "json:\"enabled\"" }'
_WRAPPER: Final = Place("ToxicWrapper")
_UPDATE: Final = Place("")
_UPDATE_TYPE: Final = r'struct { Attributes interface {} "json:\"attributes\""; Toxicity float32 "json:\"toxicity\"" }'
_DIRECTIONS: Final[Mapping[str, Direction]] = {"upstream": "upstream", "downstream": "downstream"}


def proxy_to_create(body: bytes) -> ProxySpec:
    fields = fields_of(gojson.read(body), "Go value of type toxiproxy.Proxy")
    spec = _spec(fields, ProxySpec(name="", listen="", upstream="", enabled=True), _PROXY, _PROXY)
    if not spec.name:
        raise errors.missing_field("name")
    if not spec.upstream:
        raise errors.missing_field("upstream")
    return spec


def proxy_to_update(body: bytes, proxy: Proxy) -> ProxySpec:
    """What the body names, and the rest as it is."""
    fields = fields_of(gojson.read(body), "Go value of type toxiproxy.Proxy")
    present = ProxySpec(name=proxy.name, listen=proxy.listen, upstream=proxy.upstream, enabled=proxy.enabled)
    return _spec(fields, present, _PROXY, _PROXY)


def proxies_to_populate(body: bytes) -> list[ProxySpec]:
    values = binding.items_of(gojson.read(body), f"Go value of type []{_POPULATED_TYPE}")
    return [_populated(index, value) for index, value in enumerate(values, 1)]


def _populated(index: int, value: Json) -> ProxySpec:
    fields = fields_of(value, f"Go value of type {_POPULATED_TYPE}")
    spec = _spec(fields, ProxySpec(name="", listen="", upstream="", enabled=True), _POPULATED, Place(""))
    if not spec.name:
        raise errors.missing_field(f"name at proxy {index}")
    if not spec.upstream:
        raise errors.missing_field(f"upstream at proxy {index}")
    return spec


def _spec(fields: Mapping[str, Json], default: ProxySpec, place: Place, enabled_place: Place) -> ProxySpec:
    spec = ProxySpec(
        name=binding.text(fields, "name", place, default.name),
        listen=binding.text(fields, "listen", place, default.listen),
        upstream=binding.text(fields, "upstream", place, default.upstream),
        enabled=binding.boolean(fields, "enabled", enabled_place, default.enabled),
        toxics=_initial_toxics(fields.get("initial_toxics")),
    )
    if "://" in spec.upstream:
        raise errors.upstream_is_url(spec.upstream)
    return spec


def _initial_toxics(value: Json) -> tuple[Toxic, ...]:
    toxics: dict[str, Toxic] = {}
    for item in binding.items_of(value, f"{_PROXY.field('initial_toxics')} of type []toxics.ToxicWrapper"):
        toxic = _toxic(item, toxics.__contains__)
        toxics[toxic.name] = toxic
    return tuple(toxics.values())


def toxic_to_create(body: bytes, taken: Callable[[str], bool]) -> Toxic:
    """A toxic as described; `taken` says whether a name is. Checked in Toxiproxy's order."""
    return _toxic(gojson.read(body), taken)


def _toxic(value: Json, taken: Callable[[str], bool]) -> Toxic:
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
    attributes = _checked(kind, _attributes(kind.attributes(), fields.get("attributes"), _WRAPPER))
    return Toxic(name, kind_name, stream, direction, toxicity, kind, attributes)


def toxic_to_update(body: bytes, toxic: Toxic) -> tuple[msgspec.Struct, float]:
    """The toxic's attributes and toxicity with what the body names replaced."""
    fields = fields_of(gojson.read(body), f"Go value of type {_UPDATE_TYPE}")
    attributes = _checked(toxic.kind, _attributes(toxic.attributes, fields.get("attributes"), _UPDATE))
    return attributes, binding.float32(fields, "toxicity", _UPDATE, toxic.toxicity)


def _checked(kind: Kind, attributes: msgspec.Struct) -> msgspec.Struct:
    fault = kind.check(attributes)
    if fault is not None:
        raise errors.bad_body(fault)
    return attributes


def _attributes(present: msgspec.Struct, value: Json, owner: Place) -> msgspec.Struct:
    type_name = type(present).__name__
    whole = f"{owner.field('attributes')} of type toxics.{type_name}"
    return binding.updated(present, value, Place(type_name, "attributes."), whole)
