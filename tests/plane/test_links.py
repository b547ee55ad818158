"""Plain proxying, on the embedded server and on the real one: bytes, ends, proxy states, counters."""

from __future__ import annotations

import threading

import pytest

from tests.helpers.plane_world import (
    STREAMS,
    ProxyHandle,
    Server,
    Upstream,
    closed_how,
    ends,
    listening_upstream,
    receive,
    silent,
)


def test_bytes_pass_both_ways_unchanged(proxy: ProxyHandle, upstream: Upstream) -> None:
    client, server = upstream.pair(proxy)
    client.sendall(b"question")
    assert receive(server, 8) == b"question"
    server.sendall(b"answer")
    assert receive(client, 6) == b"answer"


def test_what_a_client_sends_before_the_upstream_is_reached_is_not_lost(proxy: ProxyHandle, upstream: Upstream) -> None:
    client = proxy.connect()
    client.sendall(b"early")
    client.shutdown(1)
    assert receive(upstream.take(), 10) == b"early"
    client.close()


@pytest.mark.parametrize("stream", STREAMS)
def test_an_end_closes_the_other_side_fully(proxy: ProxyHandle, upstream: Upstream, stream: str) -> None:
    sender, receiver = ends(stream, upstream.pair(proxy))
    sender.sendall(b"last words")
    sender.shutdown(1)
    assert receive(receiver, 100) == b"last words"
    assert closed_how(sender) == "end"


def test_an_upstream_that_refuses_closes_the_client(server: Server) -> None:
    client = server.proxy("127.0.0.1:1").connect()
    assert closed_how(client) == "end"
    client.close()


@pytest.mark.parametrize("stream", STREAMS)
def test_large_transfers_arrive_whole(proxy: ProxyHandle, upstream: Upstream, stream: str) -> None:
    sender, receiver = ends(stream, upstream.pair(proxy))
    data = bytes(range(256)) * 40_000
    thread = threading.Thread(target=sender.sendall, args=(data,))
    thread.start()
    assert receive(receiver, len(data)) == data
    thread.join()


def test_a_disabled_proxy_closes_and_refuses_and_keeps_its_toxics(proxy: ProxyHandle, upstream: Upstream) -> None:
    client, server = upstream.pair(proxy)
    proxy.add("latency", latency=1)
    proxy.server.ask("PATCH", proxy.path, {"enabled": False})
    assert closed_how(client) == "end"
    assert closed_how(server) == "end"
    with pytest.raises(ConnectionRefusedError):
        proxy.connect()
    again = proxy.server.ask("PATCH", proxy.path, {"enabled": True})
    assert (again["listen"], len(again["toxics"])) == (proxy.listen, 1)
    client, server = upstream.pair(proxy)
    server.sendall(b"back")
    assert receive(client, 4) == b"back"


def test_removing_a_proxy_closes_its_connections(proxy: ProxyHandle, upstream: Upstream) -> None:
    client, server = upstream.pair(proxy)
    proxy.server.ask("DELETE", proxy.path)
    assert (closed_how(client), closed_how(server)) == ("end", "end")


def test_a_changed_upstream_drops_connections_and_leads_elsewhere(proxy: ProxyHandle, upstream: Upstream) -> None:
    client, server = upstream.pair(proxy)
    with listening_upstream() as other:
        changed = proxy.server.ask("PATCH", proxy.path, {"upstream": other.address})
        assert changed["listen"] == proxy.listen
        assert (closed_how(client), closed_how(server)) == ("end", "end")
        client, server = other.pair(proxy)
        client.sendall(b"hello")
        assert receive(server, 5) == b"hello"


def test_an_update_without_change_leaves_connections_alone(proxy: ProxyHandle, upstream: Upstream) -> None:
    client, server = upstream.pair(proxy)
    proxy.server.ask("PATCH", proxy.path, {"enabled": True, "listen": proxy.listen, "upstream": upstream.address})
    client.sendall(b"still")
    assert receive(server, 5) == b"still"


def test_counters_tell_what_passed_once_a_connection_has_ended(server: Server, upstream: Upstream) -> None:
    proxy = server.proxy(upstream.address, "counted")
    proxy.add("timeout", "downstream", timeout=0)
    client, peer = upstream.pair(proxy)
    client.sendall(b"12345")
    assert receive(peer, 5) == b"12345"
    peer.sendall(b"dropped")
    assert silent(client)
    client.shutdown(1)
    assert closed_how(peer) == "end"
    assert closed_how(client) == "end"
    wanted = {("received", "upstream"): 5, ("sent", "upstream"): 5, ("received", "downstream"): 7, ("sent", "downstream"): 0}
    for _ in range(1000):  # the real one counts a little after it has closed
        if (counted := server.counters(proxy.name)) == wanted:
            break
    assert counted == wanted
