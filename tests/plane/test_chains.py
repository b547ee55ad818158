"""Several toxics, and toxicity, on the embedded server and on the real one."""

from __future__ import annotations

import time

from tests.helpers.plane_world import ProxyHandle, Upstream, receive, silent


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
        if name == "middle":
            proxy.add("bandwidth", name=name, rate=0)
        else:
            proxy.add("latency", name=name, latency=1)
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
