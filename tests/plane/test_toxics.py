"""What toxics do to bytes and connections, on the embedded server and on the real one.

Times are only ever bounded from below: that something took at least as long as its toxic says, or did not come for a while.
"""

from __future__ import annotations

import time

import pytest

from tests.helpers.plane_world import STREAMS, ProxyHandle, Upstream, closed_how, ends, receive, silent


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
