"""Toxics that act on a part of a proxy's traffic: the first connections, a stretch of bytes or time of each."""

from __future__ import annotations

import time

import pytest

from tests.helpers.plane_world import ProxyHandle, Server, Upstream, closed_how, ends, eventually, receive, silent

EVERY_KIND_HAS = "first_connections, from_byte, to_byte, from_ms, to_ms"


@pytest.fixture
def proxy(embedded: Server, upstream: Upstream) -> ProxyHandle:
    return embedded.proxy(upstream.address, "n1>n2")


# --------------------------------------------------------------------------------------------------- first connections


@pytest.mark.parametrize("kind", ["limit_data", "corrupt"])
def test_a_toxic_acts_on_the_first_connections_and_then_stops(proxy: ProxyHandle, upstream: Upstream, kind: str) -> None:
    proxy.add(kind, first_connections=2, **({"bytes": 0} if kind == "limit_data" else {"rate": 1.0}))
    got = []
    for _ in range(4):
        client, server = upstream.pair(proxy)
        server.sendall(b"x")
        got.append(receive(client, 1) == b"x")
    assert got == [False, False, True, True]


def test_open_connections_count_as_the_first_the_oldest_before_the_others(proxy: ProxyHandle, upstream: Upstream) -> None:
    pairs = [upstream.pair(proxy) for _ in range(3)]
    proxy.add("bandwidth", rate=0, first_connections=2)
    pairs.append(upstream.pair(proxy))
    for _, server in pairs:
        server.sendall(b"x")
    assert [receive(client, 1) for client, _ in pairs[2:]] == [b"x", b"x"]
    assert all(silent(client, 0.05) for client, _ in pairs[:2])


def test_the_first_connects_are_refused_and_then_no_more(proxy: ProxyHandle, upstream: Upstream) -> None:
    upstream.pair(proxy)  # an open one is no connect any more
    proxy.add("drop_connect", first_connections=2)
    for _ in range(2):
        with pytest.raises(ConnectionResetError), proxy.connect() as refused:
            refused.recv(1)
    upstream.pair(proxy)


def test_removing_such_a_toxic_leaves_the_connections_alone_that_it_did_not_act_on(
    proxy: ProxyHandle, upstream: Upstream
) -> None:
    proxy.add("timeout", timeout=0, first_connections=1)
    damaged, whole = upstream.pair(proxy), upstream.pair(proxy)
    proxy.remove("timeout_downstream")
    assert closed_how(damaged[0]) == "end"
    whole[1].sendall(b"fine")
    assert receive(whole[0], 4) == b"fine"


# --------------------------------------------------------------------------------------------------------------- bytes


@pytest.mark.parametrize("stream", ["upstream", "downstream"])
@pytest.mark.parametrize("split", [1, 3, 10])
def test_only_the_bytes_of_the_stretch_are_hit(proxy: ProxyHandle, upstream: Upstream, stream: str, split: int) -> None:
    proxy.add("corrupt", stream, rate=1.0, bit=0, from_byte=4, to_byte=7)
    sender, receiver = ends(stream, upstream.pair(proxy))
    sent = b"0000000000"
    got = b""
    for begin in range(0, len(sent), split):
        sender.sendall(sent[begin : begin + split])
        got += receive(receiver, len(sent[begin : begin + split]))
    assert got == b"0000111000"


def test_what_follows_the_stretch_waits_for_what_is_in_it(proxy: ProxyHandle, upstream: Upstream) -> None:
    proxy.add("latency", latency=80, from_byte=3, to_byte=6)
    client, server = upstream.pair(proxy)
    begun = time.monotonic()
    server.sendall(b"abcdefghi")
    assert receive(client, 9) == b"abcdefghi"
    assert time.monotonic() - begun >= 0.08
    proxy.update("latency_downstream", latency=3_600_000)
    server.sendall(b"later")
    assert receive(client, 5) == b"later"


def test_what_precedes_the_stretch_waits_for_nothing(proxy: ProxyHandle, upstream: Upstream) -> None:
    proxy.add("latency", latency=3_600_000, from_byte=3)
    client, server = upstream.pair(proxy)
    server.sendall(b"abcdef")
    assert receive(client, 3) == b"abc"
    assert silent(client, 0.05)
    proxy.remove("latency_downstream")
    assert receive(client, 3) == b"def"


def test_the_end_comes_through_after_the_stretch(proxy: ProxyHandle, upstream: Upstream) -> None:
    proxy.add("half_open", to_byte=3)
    client, server = upstream.pair(proxy)
    server.sendall(b"abcdef")
    server.close()
    assert receive(client, 10) == b"abcdef"
    assert closed_how(client) == "end"


def test_a_toxic_that_begins_after_bytes_begins_when_they_have_passed(proxy: ProxyHandle, upstream: Upstream) -> None:
    proxy.add("timeout", timeout=1, from_byte=5)
    client, server = upstream.pair(proxy)
    server.sendall(b"1234")
    assert receive(client, 4) == b"1234"
    assert silent(client, 0.05)
    server.sendall(b"5")
    assert receive(client, 1) == b"5"
    assert closed_how(client) == "end"  # silence for a millisecond, with no byte more


def test_a_stretch_that_swallowed_bytes_ends_the_connection(proxy: ProxyHandle, upstream: Upstream) -> None:
    proxy.add("blackhole", from_byte=2, to_byte=4)
    client, server = upstream.pair(proxy)
    server.sendall(b"abcdef")
    assert receive(client, 10) == b"ab"
    assert closed_how(client) == "end"


# ---------------------------------------------------------------------------------------------------------------- time


def test_a_toxic_stops_when_its_time_on_a_connection_is_over(proxy: ProxyHandle, upstream: Upstream) -> None:
    proxy.add("bandwidth", rate=0, to_ms=150)
    begun = time.monotonic()
    client, server = upstream.pair(proxy)
    server.sendall(b"held")
    assert receive(client, 4) == b"held"
    assert time.monotonic() - begun >= 0.15
    server.sendall(b"free")
    assert receive(client, 4) == b"free"


def test_a_toxic_begins_when_its_time_on_a_connection_comes(proxy: ProxyHandle, upstream: Upstream) -> None:
    proxy.add("reset_peer", "upstream", from_ms=500)
    client, server = upstream.pair(proxy)
    client.sendall(b"early")
    assert receive(server, 5) == b"early"
    time.sleep(0.55)
    client.sendall(b"late")
    assert closed_how(client) == "reset"


def test_time_and_bytes_count_together(proxy: ProxyHandle, upstream: Upstream) -> None:
    proxy.add("blackhole", from_byte=3, from_ms=50, to_ms=3_600_000)
    client, server = upstream.pair(proxy)
    time.sleep(0.1)
    server.sendall(b"abcdef")
    assert receive(client, 3) == b"abc"
    assert silent(client, 0.05)


# ------------------------------------------------------------------------------------------------------------- the API


def test_a_scope_is_shown_if_there_is_one_and_can_be_changed(embedded: Server, proxy: ProxyHandle) -> None:
    path = f"{proxy.path}/toxics/latency_downstream"
    made = embedded.ask("POST", f"{proxy.path}/toxics", {"type": "latency", "attributes": {"TO_BYTE": 9, "jitter": 1}})
    assert made["attributes"] == {"latency": 0, "jitter": 1, "to_byte": 9}
    changed = embedded.ask("PATCH", path, {"attributes": {"from_byte": 2, "to_byte": 0, "first_connections": 3}})
    assert changed["attributes"] == {"latency": 0, "jitter": 1, "first_connections": 3, "from_byte": 2}
    assert embedded.ask("PATCH", path, {"attributes": {"from_byte": 0, "first_connections": 0}})["attributes"] == {
        "latency": 0,
        "jitter": 1,
    }


def test_a_changed_scope_acts_on_open_connections(proxy: ProxyHandle, upstream: Upstream) -> None:
    proxy.add("bandwidth", rate=0)
    client, server = upstream.pair(proxy)
    server.sendall(b"held")
    assert silent(client, 0.05)
    proxy.update("bandwidth_downstream", to_byte=2)
    assert receive(client, 4) == b"held"
    proxy.update("bandwidth_downstream", to_byte=0)
    server.sendall(b"held")
    assert silent(client, 0.05)
    proxy.update("bandwidth_downstream", first_connections=1, to_byte=1_000)
    assert receive(client, 4) == b"held"  # a change lets go of what the toxic has in hand
    server.sendall(b"held")
    assert silent(client, 0.05)
    proxy.remove("bandwidth_downstream")
    assert receive(client, 4) == b"held"


@pytest.mark.parametrize(
    ("kind", "attributes", "words"),
    [
        ("latency", {"from_byte": -1}, "from_byte is -1, and must be 0 (no limit) or more"),
        ("noop", {"from_ms": 20, "to_ms": 20}, "to_ms is 20, and must be above from_ms, which is 20"),
        ("slow_connect", {"to_byte": 5}, "takes only first_connections"),
        (
            "latency",
            {"to_ms": "soon"},
            "cannot unmarshal string into Go struct field LatencyToxic.attributes.to_ms of type int64",
        ),
    ],
)
def test_a_scope_that_makes_no_sense_is_refused(
    proxy: ProxyHandle, kind: str, attributes: dict[str, object], words: str
) -> None:
    response = proxy.server.call("POST", f"{proxy.path}/toxics", {"type": kind, "attributes": attributes})
    assert response.status_code == 400
    assert words in response.json()["error"]
    assert proxy.server.ask("GET", f"{proxy.path}/toxics") == []


# ---------------------------------------------------------------------------------------------------- misspelt fields


def test_a_misspelt_attribute_of_our_own_toxics_is_refused(proxy: ProxyHandle) -> None:
    path = f"{proxy.path}/toxics"
    response = proxy.server.call("POST", path, {"type": "latency_distribution", "attributes": {"latancy": 5}})
    assert (response.status_code, response.json()["error"]) == (
        400,
        "bad request body: latency_distribution has no attribute 'latancy'; did you mean 'latency'?",
    )
    assert proxy.server.ask("GET", path) == []
    proxy.add("stall")
    response = proxy.server.call("PATCH", f"{path}/stall_downstream", {"attributes": {"los": 1}})
    assert (response.status_code, response.json()["error"]) == (
        400,
        "bad request body: stall has no attribute 'los'; did you mean 'loss'?",
    )
    response = proxy.server.call("POST", path, {"type": "stall", "name": "x", "toxcity": 0.5})
    assert (response.status_code, response.json()["error"]) == (
        400,
        "bad request body: a toxic has no field 'toxcity'; did you mean 'toxicity'?",
    )


def test_a_misspelt_attribute_of_toxiproxys_toxics_is_taken_as_toxiproxy_does(server: Server) -> None:
    """The embedded server warns in a header, the real one says nothing."""
    proxy = server.proxy("127.0.0.1:9")
    path = f"{proxy.path}/toxics"
    made = server.call("POST", path, {"type": "latency", "attributes": {"latancy": 5}})
    patched = server.call("PATCH", f"{path}/latency_downstream", {"attributes": {"zzz": 1}})
    other = server.call("POST", path, {"type": "noop", "toxcity": 0.5})
    replaced = server.call("PATCH", proxy.path, {"upstraem": "127.0.0.1:10"})
    populated = server.call("POST", "/populate", [{"name": "q", "upstream": "127.0.0.1:9", "enable": False}])
    answers = [made, patched, other, replaced, populated]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 200, 201]
    assert made.json()["attributes"] == {"latency": 0, "jitter": 0}
    if server.kind == "embedded":
        assert [answer.headers.get("Warning") for answer in answers] == [
            """299 - "latency has no attribute 'latancy'; did you mean 'latency'?\"""",
            f"299 - \"latency has no attribute 'zzz'; it has latency, jitter, {EVERY_KIND_HAS}\"",
            """299 - "a toxic has no field 'toxcity'; did you mean 'toxicity'?\"""",
            """299 - "a proxy has no field 'upstraem'; did you mean 'upstream'?\"""",
            """299 - "a proxy has no field 'enable'; did you mean 'enabled'?\"""",
        ]


def test_what_clients_send_back_as_they_got_it_brings_no_warning(embedded: Server) -> None:
    proxy = embedded.proxy("127.0.0.1:9")
    proxy.add("latency", latency=1)
    shown = embedded.ask("GET", proxy.path)
    for response in (
        embedded.call("PATCH", proxy.path, shown),
        embedded.call("PATCH", f"{proxy.path}/toxics/latency_downstream", shown["toxics"][0]),
        embedded.call("POST", "/populate", [shown]),
    ):
        assert response.ok
        assert "Warning" not in response.headers


def test_a_warning_cannot_break_the_answer(embedded: Server) -> None:
    odd = 'a"\r\nX-Evil: é😀' + "x" * 5000
    response = embedded.call("POST", "/proxies", {"name": "p", "upstream": "127.0.0.1:9", odd: 1})
    assert response.status_code == 201
    assert "X-Evil" not in response.headers
    assert len(response.headers["Warning"]) < 300
    assert eventually(lambda: embedded.call("GET", "/version").ok)
