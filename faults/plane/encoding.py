"""Encodes the API's answers as JSON, with Toxiproxy's fields in Toxiproxy's order."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final
from urllib.parse import quote

import msgspec

from faults.plane.binding import shortest_float32
from faults.plane.errors import ApiError
from faults.plane.proxy import Proxy
from faults.plane.scope import Scope
from faults.plane.toxic import Toxic

_ESCAPED: Final = tuple((character.encode(), f"\\u{ord(character):04x}".encode()) for character in "<>&\u2028\u2029")


class _Toxic(msgspec.Struct):
    attributes: msgspec.Struct | dict[str, object]
    name: str
    type: str
    stream: str
    toxicity: float | int


class _Nothing(msgspec.Struct):
    pass


class _Proxy(msgspec.Struct, rename={"logger": "Logger"}):
    name: str
    listen: str
    upstream: str
    enabled: bool
    logger: _Nothing
    toxics: list[_Toxic]


def proxy(value: Proxy) -> bytes:
    return _encode(_proxy(value))


def proxies_by_name(values: Iterable[Proxy]) -> bytes:
    return _encode({value.name: _proxy(value) for value in values})


def populated(values: Sequence[Proxy], failure: ApiError | None) -> bytes:
    """The proxies of `/populate`, preceded by the failure that stopped it, if any. An empty list becomes `null`, as in Go."""
    made = {"proxies": [_proxy(value) for value in values] or None}
    return _encode(made if failure is None else {"error": failure.message, "status": failure.status, **made})


def toxic(value: Toxic) -> bytes:
    return _encode(_toxic(value))


def toxics(values: Iterable[Toxic]) -> bytes:
    return _encode([_toxic(value) for value in values])


def refusal(error: ApiError) -> bytes:
    return _encode({"error": error.message, "status": error.status}) + b"\n"


def quoted_path(path: str) -> str:
    return quote(path, safe="/:@!$&'()*+,;=-._~")


def _proxy(value: Proxy) -> _Proxy:
    own = [_toxic(toxic) for toxic in value.toxics.all()]
    return _Proxy(value.name, value.listen, value.upstream, value.enabled, _Nothing(), own)


def _toxic(value: Toxic) -> _Toxic:
    attributes: msgspec.Struct | dict[str, object] = value.attributes
    if value.scope != Scope():
        attributes = {**msgspec.structs.asdict(value.attributes), **msgspec.to_builtins(value.scope)}
    return _Toxic(attributes, value.name, value.type, value.stream, shortest_float32(value.toxicity))


def _encode(value: object) -> bytes:
    # Go escapes these characters to make bodies safe inside HTML. In JSON they occur only within strings.
    body = msgspec.json.encode(value)
    for raw, escaped in _ESCAPED:
        body = body.replace(raw, escaped)
    return body
