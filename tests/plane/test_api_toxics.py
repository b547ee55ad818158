"""The API's toxics, on the embedded server and on the real one: the same literal answers from both."""

from __future__ import annotations

import pytest

from tests.helpers.plane_world import CANNOT, DOWN, WRAPPER, Server, refused


def test_a_toxic_has_toxiproxys_defaults(server: Server) -> None:
    server.ask("POST", "/proxies", DOWN)
    response = server.call("POST", "/proxies/down/toxics", {"type": "latency"})
    assert response.status_code == 200
    assert response.text == (
        '{"attributes":{"latency":0,"jitter":0},"name":"latency_downstream","type":"latency","stream":"downstream","toxicity":1}'
    )


@pytest.mark.parametrize(
    ("kind", "attributes"),
    [
        ("noop", {}),
        ("latency", {"latency": 0, "jitter": 0}),
        ("bandwidth", {"rate": 0}),
        ("slow_close", {"delay": 0}),
        ("timeout", {"timeout": 0}),
        ("reset_peer", {"timeout": 0}),
        ("slicer", {"average_size": 0, "size_variation": 0, "delay": 0}),
        ("limit_data", {"bytes": 0}),
    ],
)
def test_every_kind_has_its_attributes(server: Server, kind: str, attributes: dict[str, int]) -> None:
    server.ask("POST", "/proxies", DOWN)
    path = f"/proxies/down/toxics/{kind}_upstream"
    made = server.ask("POST", "/proxies/down/toxics", {"type": kind, "stream": "upstream"})
    assert made["attributes"] == attributes
    assert server.ask("GET", path) == made
    for value, key in enumerate(attributes, 1):
        made["attributes"][key] = value
        assert server.ask("PATCH", path, {"attributes": {key.upper(): value, "other": "x"}}) == made
    assert server.ask("POST", path, {"toxicity": 0.25, "name": "zzz", "stream": "downstream"}) == {**made, "toxicity": 0.25}
    deleted = server.call("DELETE", path)
    assert (deleted.status_code, deleted.content) == (204, b"")
    assert server.call("DELETE", path).json() == refused("toxic not found", 404)[1]


@pytest.mark.parametrize(
    ("body", "message", "status"),
    [
        (b"", "bad request body: EOF", 400),
        (b"{", "bad request body: unexpected EOF", 400),
        (b"{}", "invalid toxic type", 400),
        (b'{"type":"nonsense"}', "invalid toxic type", 400),
        (b'{"type":"nonsense","stream":"sideways"}', "stream was invalid, can be either upstream or downstream", 400),
        (b'{"type":"latency","stream":""}', "stream was invalid, can be either upstream or downstream", 400),
        (
            b'{"type":"noop","name":"taken","attributes":1}',
            CANNOT + "number " + WRAPPER + ".attributes of type toxics.NoopToxic",
            400,
        ),
        (b'{"type":"latency","name":"taken","attributes":{"latency":"x"}}', "toxic already exists", 409),
        (b'{"type":"latency","name":"taken","stream":"downstream"}', "toxic already exists", 409),
        (b'{"type":1}', CANNOT + "number " + WRAPPER + ".type of type string", 400),
        (b'{"type":"noop","toxicity":"x"}', CANNOT + "string " + WRAPPER + ".toxicity of type float32", 400),
        (b'{"type":"noop","toxicity":1e99}', CANNOT + "number 1e99 " + WRAPPER + ".toxicity of type float32", 400),
        (
            b'{"type":"latency","attributes":{"latency":1.5}}',
            CANNOT + "number 1.5 into Go struct field LatencyToxic.attributes.latency of type int64",
            400,
        ),
        (
            b'{"type":"latency","attributes":{"jitter":99999999999999999999}}',
            CANNOT + "number 99999999999999999999 into Go struct field LatencyToxic.attributes.jitter of type int64",
            400,
        ),
        (
            b'{"type":"reset_peer","attributes":{"timeout":true}}',
            CANNOT + "bool into Go struct field ResetToxic.attributes.timeout of type int64",
            400,
        ),
        (
            b'{"type":"slicer","attributes":{"delay":[]}}',
            CANNOT + "array into Go struct field SlicerToxic.attributes.delay of type int",
            400,
        ),
    ],
)
def test_a_bad_toxic_is_refused_in_the_same_words(server: Server, body: bytes, message: str, status: int) -> None:
    server.ask("POST", "/proxies", DOWN)
    server.ask("POST", "/proxies/down/toxics", {"type": "noop", "name": "taken", "stream": "upstream"})
    response = server.call("POST", "/proxies/down/toxics", raw=body)
    assert (response.status_code, response.json()) == refused(message, status)
    assert [toxic["name"] for toxic in server.ask("GET", "/proxies/down/toxics")] == ["taken"]


def test_toxics_of_unknown_proxies_are_not_found_before_the_body_is_read(server: Server) -> None:
    for method, path in (("GET", "/proxies/no/toxics"), ("POST", "/proxies/no/toxics"), ("DELETE", "/proxies/no/toxics/t")):
        assert server.call(method, path, raw=b"{").json() == refused("proxy not found", 404)[1]
    server.ask("POST", "/proxies", DOWN)
    assert server.call("PATCH", "/proxies/down/toxics/no", raw=b"{").json() == refused("toxic not found", 404)[1]


def test_toxics_are_listed_upstream_first_in_the_order_they_were_made(server: Server) -> None:
    server.ask("POST", "/proxies", DOWN)
    for name, stream in (("d1", "downstream"), ("u1", "UPstream"), ("d2", "downstream"), ("u2", "upstream")):
        server.ask("POST", "/proxies/down/toxics", {"type": "noop", "name": name, "stream": stream})
    toxics = server.ask("GET", "/proxies/down/toxics")
    assert [(toxic["name"], toxic["stream"]) for toxic in toxics] == [
        ("u1", "UPstream"),
        ("u2", "upstream"),
        ("d1", "downstream"),
        ("d2", "downstream"),
    ]
    assert server.ask("GET", "/proxies/down")["toxics"] == toxics


@pytest.mark.parametrize(
    ("given", "shown"), [("0.3", 0.3), ("-3", -3), ("1234567.89", 1234567.9), ("1e-9", 1e-9), ("1e22", 1e22), ("null", 1)]
)
def test_toxicity_is_a_32_bit_number_of_any_size(server: Server, given: str, shown: float) -> None:
    server.ask("POST", "/proxies", DOWN)
    response = server.call("POST", "/proxies/down/toxics", raw=f'{{"type":"noop","toxicity":{given}}}'.encode())
    assert response.json()["toxicity"] == shown
