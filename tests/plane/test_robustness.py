"""Hostile input on the API and data ports of the embedded server: clear refusals, and the server lives."""

from __future__ import annotations

import contextlib
import json
import resource
import socket
import threading
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from faults.plane.toxics import KINDS
from tests.helpers.effort import cases
from tests.helpers.plane_world import PATIENCE_S, ProxyHandle, Server, Upstream, receive, start_embedded

pytestmark = pytest.mark.filterwarnings("ignore::hypothesis.errors.NonInteractiveExampleWarning")
shared_server = settings(max_examples=cases(150), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
PROXY_BODY = st.fixed_dictionaries(
    {},
    optional={
        "name": st.sampled_from(["p", "a>b", "é/ü", "..", "%2F"]) | JSON,
        "upstream": st.sampled_from(["127.0.0.1:9", "nowhere", ":"]) | JSON,
        "listen": st.sampled_from(["127.0.0.1:0", "", ":0", "[::1]:0", "[", "1:2:3", "127.0.0.1:70000", "\x00:1"]) | JSON,
        "enabled": st.booleans() | JSON,
    },
)
TOXIC_BODY = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from([*KINDS, "nonsense", ""]) | JSON,
        "name": st.sampled_from(["t", "u"]) | JSON,
        "stream": st.sampled_from(["upstream", "DOWNSTREAM"]) | JSON,
        "toxicity": st.floats() | JSON,
        "attributes": st.dictionaries(
            st.sampled_from(
                [
                    "latency",
                    "jitter",
                    "rate",
                    "delay",
                    "timeout",
                    "average_size",
                    "size_variation",
                    "bytes",
                    "loss",
                    "samples",
                    "shape",
                    "bit",
                    "first_connections",
                    "from_byte",
                    "to_byte",
                    "from_ms",
                    "to_ms",
                ]
            ),
            st.integers(-(2**70), 2**70) | JSON,
            max_size=4,
        )
        | JSON,
    },
)
PATHS = st.sampled_from(
    [
        "/proxies",
        "/populate",
        "/reset",
        "/proxies/p",
        "/proxies/a%3Eb",
        "/proxies/p/toxics",
        "/proxies/p/toxics/t",
        "/metrics",
        "/version",
    ]
) | st.text(max_size=12).map(lambda text: "/" + quote(text, safe="/."))


def answered_properly(server: Server, method: str, path: str, body: bytes) -> None:
    """The server answers, with success or with a refusal in its own form."""
    response = server.call(method, path, raw=body)
    assert response.status_code in {200, 201, 204, 301, 400, 403, 404, 405, 409, 500}
    if response.status_code == 500:
        assert "internal error" not in response.text, response.text
    if response.status_code >= 400 and response.text.startswith("{"):
        refusal = json.loads(response.text)
        assert refusal["status"] == response.status_code
        assert refusal["error"]


@shared_server
@given(
    st.sampled_from(["GET", "POST", "PATCH", "DELETE", "PUT"]),
    PATHS,
    PROXY_BODY | TOXIC_BODY | JSON | st.lists(PROXY_BODY, max_size=3),
)
def test_any_request_gets_a_proper_answer(embedded: Server, method: str, path: str, body: object) -> None:
    embedded.call("POST", "/proxies", {"name": "p", "upstream": "127.0.0.1:9", "enabled": False})
    answered_properly(embedded, method, path, json.dumps(body).encode())


@shared_server
@given(st.binary(max_size=60), st.sampled_from(["/proxies", "/populate"]))
def test_any_body_gets_a_proper_answer(embedded: Server, body: bytes, path: str) -> None:
    answered_properly(embedded, "POST", path, body)


@settings(shared_server, max_examples=cases(60))
@given(st.binary(min_size=1, max_size=200))
def test_garbage_on_the_api_port_is_refused(embedded: Server, garbage: bytes) -> None:
    with socket.create_connection((embedded.host, embedded.port), timeout=PATIENCE_S) as sock:
        sock.sendall(garbage)
        sock.shutdown(socket.SHUT_WR)
        answer = receive(sock, 1000)
    assert not answer or answer.startswith((b"HTTP/1.1 4", b"HTTP/1.1 5")), answer
    assert embedded.call("GET", "/version").ok


SCOPE = st.fixed_dictionaries(
    {},
    optional={
        "first_connections": st.integers(0, 1),
        "from_byte": st.integers(0, 1500),
        "to_byte": st.integers(1501, 4000),
        "from_ms": st.integers(0, 3),
        "to_ms": st.integers(4, 9),
    },
)
OPERATIONS = st.lists(
    st.tuples(
        st.sampled_from(["add", "update", "remove", "send"]),
        st.sampled_from(
            ["noop", "latency", "bandwidth", "slicer", "slow_close", "stall", "shared_bandwidth", "latency_distribution"]
        ),
        st.integers(0, 3),
        st.floats(0, 1),
        SCOPE,
    ),
    max_size=12,
)
HARMLESS: dict[str, dict[str, Any]] = {
    "noop": {},
    "latency": {"latency": 2, "jitter": 2},
    "bandwidth": {"rate": 500},
    "slicer": {"average_size": 300, "size_variation": 100},
    "slow_close": {"delay": 5},
    "stall": {"loss": 0.3, "timeout": 1},
    "shared_bandwidth": {"rate": 500},
    "latency_distribution": {"distribution": "pareto", "scale": 1, "limit": 5},
}


@settings(shared_server, max_examples=cases(40))
@given(OPERATIONS)
def test_no_change_of_toxics_loses_or_reorders_bytes(
    embedded: Server, upstream: Upstream, operations: list[tuple[str, str, int, float, dict[str, Any]]]
) -> None:
    embedded.call("DELETE", "/proxies/chain")
    proxy = embedded.proxy(upstream.address, "chain")
    client, server = upstream.pair(proxy)
    sent, present = b"", set[str]()
    for operation, kind, number, toxicity, scope in operations:
        name = f"{kind}{number}"
        if operation == "add" and name not in present:
            proxy.add(kind, name=name, toxicity=toxicity, **HARMLESS[kind], **scope)
            present.add(name)
        elif operation == "update" and name in present:
            proxy.update(name, toxicity=toxicity, **HARMLESS[kind], **scope)
        elif operation == "remove" and name in present:
            proxy.remove(name)
            present.remove(name)
        elif operation == "send":
            data = bytes((len(sent) + step) % 251 for step in range(700))
            server.sendall(data)
            sent += data
    server.shutdown(socket.SHUT_WR)
    assert receive(client, len(sent) + 1) == sent
    counted = embedded.counters("chain")
    assert counted["sent", "downstream"] == counted["received", "downstream"] == len(sent)


def test_a_body_without_end_is_refused_in_toxiproxys_form(embedded: Server) -> None:
    response = embedded.call("POST", "/populate", raw=b"[" + b" " * 2_000_000)
    assert (response.status_code, response.json()) == (
        413,
        {"error": "bad request body: longer than 1048576 bytes", "status": 413},
    )


def test_a_body_nested_without_end_is_refused(embedded: Server) -> None:
    response = embedded.call("POST", "/populate", raw=b"[" * 500_000)
    assert (response.status_code, response.json()["error"]) == (400, "bad request body: exceeded max depth")


def test_slow_requests_delay_no_other(embedded: Server) -> None:
    slow = [socket.create_connection((embedded.host, embedded.port), timeout=PATIENCE_S) for _ in range(200)]
    for number, sock in enumerate(slow):
        sock.sendall(b"POST /proxies HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{"[: 1 + number % 60])
    assert embedded.call("GET", "/version").ok
    for sock in slow:
        sock.close()


@pytest.mark.nightly
def test_a_request_that_never_completes_is_cut_off(embedded: Server) -> None:
    with socket.create_connection((embedded.host, embedded.port), timeout=60) as sock:
        sock.sendall(b"GET /version HTTP/1.1\r\nHost:")
        assert sock.recv(1) == b""


def test_garbage_on_a_data_port_is_data(embedded: Server, upstream: Upstream) -> None:
    client, server = upstream.pair(embedded.proxy(upstream.address))
    garbage = bytes(range(256)) * 100
    client.sendall(garbage)
    assert receive(server, len(garbage)) == garbage


def test_a_thousand_silent_clients_delay_no_other(embedded: Server, upstream: Upstream) -> None:
    proxy = embedded.proxy(upstream.address)
    silent = [proxy.connect() for _ in range(300)]
    client = proxy.connect()
    client.sendall(b"me too")
    waiting = [upstream.take() for _ in range(301)]
    assert receive(waiting[-1], 6) == b"me too"
    for sock in (*silent, client):
        sock.close()


@pytest.mark.slow
def test_a_proxy_is_removed_while_its_clients_are_still_being_connected(embedded: Server, upstream: Upstream) -> None:
    for _ in range(200):
        proxy = embedded.proxy(upstream.address)
        with contextlib.ExitStack() as stack:
            for _ in range(10):
                stack.enter_context(proxy.connect())
            embedded.ask("DELETE", proxy.path)
        assert embedded.ask("GET", "/proxies") == {}


@pytest.mark.slow
def test_a_thousand_proxies_at_once(embedded: Server, upstream: Upstream) -> None:
    specs = [{"name": f"p{number}", "listen": "127.0.0.1:0", "upstream": upstream.address} for number in range(1000)]
    made = embedded.ask("POST", "/populate", specs)["proxies"]
    assert len({proxy["listen"] for proxy in made}) == 1000
    for index in (0, 499, 999):
        client, server = upstream.pair(ProxyHandle(embedded, made[index]["name"], made[index]["listen"]))
        client.sendall(b"%d" % index)
        assert receive(server, len(str(index))) == b"%d" % index
    assert len(embedded.ask("GET", "/proxies")) == 1000


def test_running_out_of_descriptors_is_survived(upstream: Upstream) -> None:
    def greet() -> None:
        while True:
            with contextlib.suppress(OSError):
                upstream.accepted.get().sendall(b"!")

    threading.Thread(target=greet, daemon=True).start()
    server = start_embedded(preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64)))
    try:
        proxy = server.proxy(upstream.address)
        waiting = [proxy.connect() for _ in range(80)]
        for sock in waiting:
            sock.close()
        greeting = b""
        while greeting != b"!":  # those that find no descriptor left are closed, until the others have gone
            with contextlib.suppress(ConnectionError), proxy.connect() as client:
                greeting = receive(client, 1)
        server.ask("DELETE", proxy.path)
    finally:
        server.stop()
