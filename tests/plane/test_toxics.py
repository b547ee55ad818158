"""What toxics do to bytes and connections, on the embedded server and on the real one.

Times are only ever bounded from below: that something took at least as long as its toxic says, or did not come for a while.
"""

from __future__ import annotations

import socket
import threading
import time

import pytest
from plane_world import ProxyHandle, Server, Upstream, closed_how, listening_upstream, receive, silent

STREAMS = ["upstream", "downstream"]


def ends(stream: str, client_and_server: tuple[socket.socket, socket.socket]) -> tuple[socket.socket, socket.socket]:
    """The sending and the receiving socket of a stream."""
    client, server = client_and_server
    return (client, server) if stream == "upstream" else (server, client)


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


# --------------------------------------------------------------------------------------------------------- proxy states


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


# -------------------------------------------------------------------------------------------------------------- latency


@pytest.mark.parametrize("stream", STREAMS)
@pytest.mark.parametrize("before", [True, False], ids=["new connection", "existing connection"])
def test_latency_delays_one_stream(proxy: ProxyHandle, upstream: Upstream, stream: str, before: bool) -> None:
    if before:
        proxy.add("latency", stream, latency=60)
    sender, receiver = ends(stream, upstream.pair(proxy))
    if not before:
        proxy.add("latency", stream, latency=60)
    begun = time.monotonic()
    sender.sendall(b"slow")
    assert receive(receiver, 4) == b"slow"
    assert time.monotonic() - begun >= 0.06
    receiver.sendall(b"fast")
    assert receive(sender, 4) == b"fast"


def test_latencies_of_two_toxics_add_up(proxy: ProxyHandle, upstream: Upstream) -> None:
    proxy.add("latency", name="one", latency=40)
    proxy.add("latency", name="two", latency=30)
    client, server = upstream.pair(proxy)
    begun = time.monotonic()
    server.sendall(b"x")
    receive(client, 1)
    assert time.monotonic() - begun >= 0.07


def test_jitter_keeps_the_order_and_the_least_delay(proxy: ProxyHandle, upstream: Upstream) -> None:
    proxy.add("latency", latency=30, jitter=20)
    client, server = upstream.pair(proxy)
    begun = time.monotonic()
    for number in range(50):
        server.sendall(b"%03d" % number)
    assert receive(client, 150) == b"".join(b"%03d" % number for number in range(50))
    assert time.monotonic() - begun >= 0.01


@pytest.mark.parametrize("how", ["removed", "reset", "shortened"])
def test_what_a_latency_holds_goes_on_when_it_is(proxy: ProxyHandle, upstream: Upstream, how: str) -> None:
    proxy.add("latency", latency=3_600_000)
    client, server = upstream.pair(proxy)
    for _ in range(3):
        server.sendall(b"held ")
    assert silent(client)
    if how == "removed":
        proxy.remove("latency_downstream")
    elif how == "reset":
        proxy.server.ask("POST", "/reset")
    else:
        proxy.update("latency_downstream", latency=1)
    assert receive(client, 15) == b"held held held "


def test_an_end_waits_behind_delayed_data(proxy: ProxyHandle, upstream: Upstream) -> None:
    proxy.add("latency", latency=80)
    client, server = upstream.pair(proxy)
    begun = time.monotonic()
    server.sendall(b"bye")
    server.shutdown(1)
    assert receive(client, 100) == b"bye"
    assert time.monotonic() - begun >= 0.08


# ------------------------------------------------------------------------------------------------------------ bandwidth


def test_bandwidth_limits_the_rate(proxy: ProxyHandle, upstream: Upstream) -> None:
    proxy.add("bandwidth", rate=100)
    client, server = upstream.pair(proxy)
    begun = time.monotonic()
    server.sendall(b"x" * 30_000)
    assert receive(client, 30_000) == b"x" * 30_000
    assert time.monotonic() - begun >= 0.29


def test_bandwidth_lets_pieces_of_a_tenth_of_a_second_through(proxy: ProxyHandle, upstream: Upstream) -> None:
    proxy.add("bandwidth", rate=10)
    client, server = upstream.pair(proxy)
    server.sendall(b"x" * 30_000)
    begun = time.monotonic()
    assert len(client.recv(65536)) <= 2_000
    assert time.monotonic() - begun < 2.9  # the whole takes three seconds


@pytest.mark.parametrize("how", ["removed", "reset", "raised"])
def test_a_rate_of_zero_holds_until_it_is(proxy: ProxyHandle, upstream: Upstream, how: str) -> None:
    proxy.add("bandwidth", "upstream", rate=0)
    client, server = upstream.pair(proxy)
    client.sendall(b"one")
    client.sendall(b"two")
    assert silent(server)
    if how == "removed":
        proxy.remove("bandwidth_upstream")
    elif how == "reset":
        proxy.server.ask("POST", "/reset")
    else:
        proxy.update("bandwidth_upstream", rate=1_000_000)
    assert receive(server, 6) == b"onetwo"


# -------------------------------------------------------------------------------------------------------------- timeout


@pytest.mark.parametrize("stream", STREAMS)
def test_timeout_drops_and_then_closes(proxy: ProxyHandle, upstream: Upstream, stream: str) -> None:
    proxy.add("timeout", stream, timeout=80)
    begun = time.monotonic()
    sender, receiver = ends(stream, upstream.pair(proxy))
    sender.sendall(b"lost")
    assert receive(receiver, 10) == b""
    assert closed_how(sender) == "end"
    assert time.monotonic() - begun >= 0.08


def test_a_timeout_of_zero_never_closes_and_its_removal_closes(proxy: ProxyHandle, upstream: Upstream) -> None:
    proxy.add("timeout", timeout=0)
    client, server = upstream.pair(proxy)
    server.sendall(b"lost")
    assert silent(client)
    client.sendall(b"this way is open")
    assert receive(server, 16) == b"this way is open"
    proxy.remove("timeout_downstream")
    assert (receive(client, 10), closed_how(server)) == (b"", "end")


def test_removing_a_timeout_closes_also_those_that_toxicity_spared(proxy: ProxyHandle, upstream: Upstream) -> None:
    proxy.add("timeout", timeout=0, toxicity=0.0)
    client, server = upstream.pair(proxy)
    server.sendall(b"spared")
    assert receive(client, 6) == b"spared"
    proxy.remove("timeout_downstream")
    assert (closed_how(client), closed_how(server)) == ("end", "end")


def test_a_timeout_passes_the_end_on(proxy: ProxyHandle, upstream: Upstream) -> None:
    proxy.add("timeout", timeout=0)
    client, server = upstream.pair(proxy)
    server.shutdown(1)
    assert closed_how(client) == "end"


# ----------------------------------------------------------------------------------------------------------- slow_close


@pytest.mark.parametrize("how", ["waited for", "removed"])
def test_slow_close_delays_the_end_only(proxy: ProxyHandle, upstream: Upstream, how: str) -> None:
    proxy.add("slow_close", "upstream", delay=100 if how == "waited for" else 3_600_000)
    client, server = upstream.pair(proxy)
    begun = time.monotonic()
    client.sendall(b"data")
    client.shutdown(1)
    assert receive(server, 4) == b"data"
    server.sendall(b"answer")
    assert receive(client, 6) == b"answer"
    if how == "removed":
        assert silent(server)
        proxy.remove("slow_close_upstream")
    assert closed_how(server) == "end"
    assert time.monotonic() - begun >= 0.1


# ----------------------------------------------------------------------------------------------------------- reset_peer


def test_reset_peer_resets_both_ends_of_a_new_connection(proxy: ProxyHandle, upstream: Upstream) -> None:
    proxy.add("reset_peer", timeout=60)
    client, server = upstream.pair(proxy)
    begun = time.monotonic()
    server.sendall(b"lost")
    assert closed_how(client) == "reset"
    assert closed_how(server) == "reset"
    assert time.monotonic() - begun >= 0.06


def test_reset_peer_waits_for_something_to_come(proxy: ProxyHandle, upstream: Upstream) -> None:
    proxy.add("reset_peer", timeout=0)
    client, server = upstream.pair(proxy)
    client.sendall(b"other way")
    assert receive(server, 9) == b"other way"
    assert silent(client)


# --------------------------------------------------------------------------------------------------------------- slicer


def test_slicer_keeps_the_bytes_and_takes_its_time(proxy: ProxyHandle, upstream: Upstream) -> None:
    proxy.add("slicer", average_size=100, size_variation=50, delay=2000)
    client, server = upstream.pair(proxy)
    data = bytes(range(250)) * 8
    begun = time.monotonic()
    server.sendall(data)
    assert receive(client, len(data)) == data
    assert time.monotonic() - begun >= 0.012  # at least (2000 / 150 - 1) pauses of which 6 surely


def test_slices_come_one_by_one(proxy: ProxyHandle, upstream: Upstream) -> None:
    proxy.add("slicer", average_size=10, delay=100_000)
    client, server = upstream.pair(proxy)
    server.sendall(b"x" * 40)
    assert len(client.recv(100)) == 10
    proxy.remove("slicer_downstream")
    assert receive(client, 30) == b"x" * 30


# ----------------------------------------------------------------------------------------------------------- limit_data


def test_limit_data_closes_at_its_limit(proxy: ProxyHandle, upstream: Upstream) -> None:
    proxy.add("limit_data", bytes=10)
    for _ in range(2):  # each connection has its own count
        client, server = upstream.pair(proxy)
        server.sendall(b"x" * 25)
        assert receive(client, 100) == b"x" * 10
        assert closed_how(server) in ("end", "reset")  # what it sent beyond the limit may lie unread


def test_a_limit_of_zero_closes_at_the_first_data(proxy: ProxyHandle, upstream: Upstream) -> None:
    proxy.add("limit_data", bytes=0)
    client, server = upstream.pair(proxy)
    assert silent(client)
    server.sendall(b"x")
    assert receive(client, 10) == b""


def test_the_count_of_limit_data_outlives_an_update(proxy: ProxyHandle, upstream: Upstream) -> None:
    proxy.add("limit_data", bytes=100)
    client, server = upstream.pair(proxy)
    server.sendall(b"x" * 6)
    assert receive(client, 6) == b"x" * 6
    proxy.update("limit_data_downstream", bytes=10)
    server.sendall(b"y" * 6)
    assert receive(client, 100) == b"y" * 4


# ------------------------------------------------------------------------------------------------- chains and toxicity


def test_toxics_of_both_streams_act_apart(proxy: ProxyHandle, upstream: Upstream) -> None:
    proxy.add("timeout", "upstream", timeout=0)
    proxy.add("noop", "downstream")
    client, server = upstream.pair(proxy)
    client.sendall(b"lost")
    server.sendall(b"seen")
    assert receive(client, 4) == b"seen"
    assert silent(server)


def test_an_earlier_limit_reaches_a_later_latency_whole(proxy: ProxyHandle, upstream: Upstream) -> None:
    proxy.add("limit_data", bytes=5)
    proxy.add("latency", latency=50)
    client, server = upstream.pair(proxy)
    begun = time.monotonic()
    server.sendall(b"123456789")
    assert receive(client, 100) == b"12345"
    assert time.monotonic() - begun >= 0.05


def test_a_toxic_in_the_middle_can_be_removed(proxy: ProxyHandle, upstream: Upstream) -> None:
    for name in ("first", "middle", "last"):
        proxy.add(
            "bandwidth" if name == "middle" else "latency", name=name, **({"rate": 0} if name == "middle" else {"latency": 1})
        )
    client, server = upstream.pair(proxy)
    server.sendall(b"stuck")
    assert silent(client)
    proxy.remove("middle")
    assert receive(client, 5) == b"stuck"


def test_no_toxicity_spares_every_connection(proxy: ProxyHandle, upstream: Upstream) -> None:
    proxy.add("timeout", timeout=0, toxicity=0.0)
    for _ in range(5):
        client, server = upstream.pair(proxy)
        server.sendall(b"fine")
        assert receive(client, 4) == b"fine"


def test_half_toxicity_spares_some_connections(proxy: ProxyHandle, upstream: Upstream) -> None:
    proxy.add("limit_data", bytes=0, toxicity=0.5)
    spared = 0
    for _ in range(60):
        client, server = upstream.pair(proxy)
        server.sendall(b"x")
        spared += receive(client, 1) == b"x"
    assert 5 < spared < 55  # outside with probability 2e-11


def test_toxicity_is_drawn_anew_when_it_is_changed(proxy: ProxyHandle, upstream: Upstream) -> None:
    proxy.add("bandwidth", rate=0, toxicity=0.0)
    client, server = upstream.pair(proxy)
    server.sendall(b"spared")
    assert receive(client, 6) == b"spared"
    proxy.update("bandwidth_downstream", toxicity=1.0, rate=0)
    server.sendall(b"held")
    assert silent(client)
    proxy.update("bandwidth_downstream", toxicity=0.0, rate=0)
    assert receive(client, 4) == b"held"


# -------------------------------------------------------------------------------------------------------------- counters


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
