"""What happens to the embedded server when connections have used up its file descriptors."""

from __future__ import annotations

import contextlib
import resource
import socket
import threading
from collections.abc import Iterator

import pytest

from tests.helpers.plane_world import PATIENCE_S, Server, Upstream, closed_how, eventually, receive, start_embedded

LIMIT = 160


@pytest.fixture
def server() -> Iterator[Server]:
    """A server with few descriptors."""
    server = start_embedded(preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (LIMIT, LIMIT)))
    yield server
    server.stop()


def asked_by_a_new_client(server: Server, method: str, path: str, body: object = None) -> int:
    server.session.close()
    return server.call(method, path, body).status_code


def test_the_api_answers_and_heals_when_connections_have_used_them_up(server: Server, upstream: Upstream) -> None:
    proxy = server.proxy(upstream.address)
    proxy.add("latency", latency=1)
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(proxy.connect()) for _ in range(LIMIT)]
        assert eventually(lambda: 'reason="no descriptors"' in server.call("GET", "/metrics").text)
        for path in ("/version", "/metrics") * 10:
            assert asked_by_a_new_client(server, "GET", path) == 200
        assert asked_by_a_new_client(server, "PATCH", proxy.path, {"enabled": False}) == 200
        assert all(closed_how(client) in ("end", "reset") for client in clients)
        assert asked_by_a_new_client(server, "PATCH", proxy.path, {"enabled": True}) == 200
        assert asked_by_a_new_client(server, "POST", "/proxies", {"name": "q", "upstream": upstream.address}) == 201
        assert asked_by_a_new_client(server, "DELETE", f"{proxy.path}/toxics/latency_downstream") == 204


def test_a_proxy_can_be_made_when_connections_have_used_them_up(server: Server, upstream: Upstream) -> None:
    proxy = server.proxy(upstream.address)
    with contextlib.ExitStack() as stack:
        for _ in range(LIMIT):
            stack.enter_context(proxy.connect())
        assert eventually(lambda: 'reason="no descriptors"' in server.call("GET", "/metrics").text)
        assert asked_by_a_new_client(server, "POST", "/proxies", {"name": "q", "upstream": upstream.address}) == 201


def greet(upstream: Upstream) -> None:
    """Send each client of an upstream one byte."""
    with contextlib.suppress(OSError):
        while True:
            connection = upstream.accepted.get()
            upstream.taken.append(connection)
            with contextlib.suppress(ConnectionError):
                connection.sendall(b"!")


@pytest.mark.parametrize("kind", ["half_open", "blackhole"])
def test_connections_that_only_a_toxic_keeps_make_room_for_new_ones(server: Server, upstream: Upstream, kind: str) -> None:
    threading.Thread(target=greet, args=(upstream,), daemon=True).start()
    proxy = server.proxy(upstream.address)
    proxy.add(kind, "upstream")
    for _ in range(LIMIT):
        with proxy.connect() as client:
            assert receive(client, 1) == b"!"
    assert asked_by_a_new_client(server, "DELETE", f"{proxy.path}/toxics/{kind}_upstream") == 204
    assert 'reason="abandoned"' in server.call("GET", "/metrics").text


def test_clients_that_left_while_their_connect_was_delayed_make_room_too(server: Server, upstream: Upstream) -> None:
    threading.Thread(target=greet, args=(upstream,), daemon=True).start()
    slow, quick = server.proxy(upstream.address, "slow"), server.proxy(upstream.address, "quick")
    slow.add("slow_connect", delay=3_600_000)
    for _ in range(LIMIT):
        slow.connect().close()
    with quick.connect() as client:
        assert receive(client, 1) == b"!"


def test_too_many_clients_of_the_api_do_not_make_it_spin_or_die(server: Server) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(LIMIT + 20):
            stack.enter_context(socket.create_connection((server.host, server.port), timeout=PATIENCE_S))
    assert eventually(lambda: asked_by_a_new_client(server, "GET", "/version") == 200)
