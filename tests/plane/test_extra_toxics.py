"""The toxics that Toxiproxy does not have, by what they do to real sockets."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from tests.helpers.plane_world import ProxyHandle, Server, Upstream, closed_how, receive, silent, start_embedded


@pytest.fixture
def proxy(embedded: Server, upstream: Upstream) -> ProxyHandle:
    return embedded.proxy(upstream.address, "n1>n2")


def flipped(before: bytes, after: bytes) -> list[tuple[int, int]]:
    """Places and bits that differ."""
    return [
        (place, bit) for place, (a, b) in enumerate(zip(before, after, strict=True)) for bit in range(8) if (a ^ b) >> bit & 1
    ]


def test_corrupt_flips_the_chosen_bit(proxy: ProxyHandle, upstream: Upstream) -> None:
    proxy.add("corrupt", offset=5, bit=3)
    client, server = upstream.pair(proxy)
    for part in (b"abc", b"defgh", b"ijk"):
        server.sendall(part)
        got = receive(client, len(part))
        assert flipped(part, got) == ([(2, 3)] if part == b"defgh" else [])


def test_corrupt_flips_at_its_rate_one_bit_a_byte(proxy: ProxyHandle, upstream: Upstream) -> None:
    proxy.add("corrupt", rate=0.01)
    client, server = upstream.pair(proxy)
    data = bytes(100_000)
    threading.Thread(target=server.sendall, args=(data,)).start()
    hits = flipped(data, receive(client, len(data)))
    assert 700 < len(hits) < 1300  # nine deviations around 1,000
    assert len({place for place, _ in hits}) == len(hits)
    assert {bit for _, bit in hits} == set(range(8))


@pytest.mark.parametrize(("rate", "count"), [(0.0, 0), (-1.0, 0), (1.0, 50), (7.5, 50), (1e-300, 0)])
def test_corrupt_takes_any_rate(proxy: ProxyHandle, upstream: Upstream, rate: float, count: int) -> None:
    proxy.add("corrupt", rate=rate)
    client, server = upstream.pair(proxy)
    server.sendall(bytes(50))
    assert len(flipped(bytes(50), receive(client, 50))) == count


def _corrupted(upstream: Upstream) -> bytes:
    server = start_embedded("--seed", "3")
    try:
        proxy = server.proxy(upstream.address)
        proxy.add("corrupt", rate=0.1)
        client, peer = upstream.pair(proxy)
        peer.sendall(bytes(200))
        return receive(client, 200)
    finally:
        server.stop()


def test_a_seed_repeats_corruption(upstream: Upstream) -> None:
    first = _corrupted(upstream)
    assert first != bytes(200)
    assert _corrupted(upstream) == first


def test_blackhole_refuses_and_resets_nothing(proxy: ProxyHandle, upstream: Upstream) -> None:
    proxy.add("blackhole", "upstream")
    client, server = upstream.pair(proxy)
    client.sendall(b"lost")
    client.shutdown(1)
    assert silent(server)
    server.sendall(b"other way")
    assert receive(client, 9) == b"other way"
    assert proxy.server.counters(proxy.name)["sent", "upstream"] == 0


def test_a_healed_blackhole_closes_only_what_lost_bytes(proxy: ProxyHandle, upstream: Upstream) -> None:
    proxy.add("blackhole", "upstream")
    damaged, whole = upstream.pair(proxy), upstream.pair(proxy)
    damaged[0].sendall(b"lost")
    while proxy.server.counters(proxy.name)["received", "upstream"] < 4:
        pass
    proxy.remove("blackhole_upstream")
    assert closed_how(damaged[1]) == "end"
    whole[0].sendall(b"fine")
    assert receive(whole[1], 4) == b"fine"


def test_half_open_hides_the_end_until_it_is_removed(proxy: ProxyHandle, upstream: Upstream) -> None:
    proxy.add("half_open")
    client, server = upstream.pair(proxy)
    server.sendall(b"last words")
    server.close()
    assert receive(client, 10) == b"last words"
    client.sendall(b"still there?")
    assert silent(client)
    proxy.remove("half_open_downstream")
    assert closed_how(client) == "end"


def test_shared_bandwidth_is_shared(proxy: ProxyHandle, upstream: Upstream) -> None:
    proxy.add("shared_bandwidth", rate=200)
    pairs = [upstream.pair(proxy) for _ in range(3)]
    begun = time.monotonic()
    for _, server in pairs:
        server.sendall(bytes(20_000))
    for client, _ in pairs:
        assert len(receive(client, 20_000)) == 20_000
    assert time.monotonic() - begun >= 0.29  # 60 KB at 200 KB/s; alone each takes 0.1 s


def test_shared_bandwidth_of_zero_holds_until_removed(proxy: ProxyHandle, upstream: Upstream) -> None:
    proxy.add("shared_bandwidth")
    client, server = upstream.pair(proxy)
    server.sendall(b"held")
    assert silent(client)
    proxy.remove("shared_bandwidth_downstream")
    assert receive(client, 4) == b"held"


def test_stall_delays_by_whole_timeouts_and_keeps_the_order(proxy: ProxyHandle, upstream: Upstream) -> None:
    proxy.add("stall", loss=1.0, timeout=1)  # eight losses in a row: 1 + 2 + … + 128 ms
    client, server = upstream.pair(proxy)
    begun = time.monotonic()
    server.sendall(b"12345")
    assert receive(client, 5) == b"12345"
    assert time.monotonic() - begun >= 0.255


def test_stall_without_loss_passes(proxy: ProxyHandle, upstream: Upstream) -> None:
    proxy.add("stall", loss=0.0, timeout=3_600_000)
    client, server = upstream.pair(proxy)
    server.sendall(b"fine")
    assert receive(client, 4) == b"fine"


@pytest.mark.parametrize(
    ("attributes", "least_s"),
    [
        ({"distribution": "sample", "samples": [40, 50.5]}, 0.04),
        ({"distribution": "pareto", "scale": 30, "shape": 1.5, "limit": 60}, 0.03),
        ({"distribution": "normal", "latency": 35.5, "scale": 2}, 0.0355),
    ],
)
def test_a_distribution_delays(proxy: ProxyHandle, upstream: Upstream, attributes: dict[str, Any], least_s: float) -> None:
    proxy.add("latency_distribution", **attributes)
    client, server = upstream.pair(proxy)
    begun = time.monotonic()
    server.sendall(b"x")
    assert receive(client, 1) == b"x"
    assert time.monotonic() - begun >= least_s


@pytest.mark.parametrize(
    "attributes",
    [
        {"distribution": "pareto", "scale": 1, "shape": 0.001, "limit": 1e300},
        {"distribution": "pareto", "scale": 1e308, "shape": 5e-324, "limit": 1e308},
        {"latency": 1e305},
        {"latency": 1.8e22},
        {"latency": 1e308, "distribution": "sample", "samples": [1e308], "limit": 1e308},
        {"scale": 1e308, "latency": 1e308, "limit": 1e308},
    ],
)
def test_a_delay_beyond_all_numbers_holds(proxy: ProxyHandle, upstream: Upstream, attributes: dict[str, Any]) -> None:
    proxy.add("latency_distribution", **attributes)
    client, server = upstream.pair(proxy)
    server.sendall(b"held")
    assert silent(client)
    proxy.remove("latency_distribution_downstream")
    assert receive(client, 4) == b"held"


def test_a_pareto_delay_with_a_tiny_shape_is_the_limit(proxy: ProxyHandle, upstream: Upstream) -> None:
    proxy.add("latency_distribution", distribution="pareto", scale=1, shape=0.001, limit=30)
    client, server = upstream.pair(proxy)
    begun = time.monotonic()
    server.sendall(b"x")
    assert receive(client, 1) == b"x"
    assert time.monotonic() - begun >= 0.03


@pytest.mark.parametrize(
    ("attributes", "words"),
    [
        ({"distribution": "uniform"}, "none of normal, pareto, sample"),
        ({"distribution": "sample"}, "needs samples"),
        ({"distribution": "pareto", "shape": 0}, "shape above 0"),
        ({"samples": [1, "x"]}, "cannot unmarshal string into Go struct field LatencyDistributionToxic.attributes.samples"),
    ],
)
def test_a_distribution_that_makes_no_sense_is_refused(proxy: ProxyHandle, attributes: dict[str, Any], words: str) -> None:
    response = proxy.server.call("POST", f"{proxy.path}/toxics", {"type": "latency_distribution", "attributes": attributes})
    assert response.status_code == 400
    assert words in response.json()["error"]
    assert proxy.server.ask("GET", f"{proxy.path}/toxics") == []


def test_slow_connect_delays_the_upstreams_connection(proxy: ProxyHandle, upstream: Upstream) -> None:
    proxy.add("slow_connect", delay=80)
    begun = time.monotonic()
    client, server = upstream.pair(proxy)
    assert time.monotonic() - begun >= 0.08
    client.sendall(b"hello")
    assert receive(server, 5) == b"hello"


def test_removing_slow_connect_releases_those_that_wait(proxy: ProxyHandle, upstream: Upstream) -> None:
    proxy.add("slow_connect", delay=3_600_000)
    with proxy.connect() as client:
        client.sendall(b"hello")
        assert silent(client)
        assert upstream.accepted.empty()
        proxy.remove("slow_connect_downstream")
        assert receive(upstream.take(), 5) == b"hello"


def test_drop_connect_resets_new_connections_and_leaves_open_ones(proxy: ProxyHandle, upstream: Upstream) -> None:
    client, server = upstream.pair(proxy)
    proxy.add("drop_connect")
    with pytest.raises(ConnectionResetError), proxy.connect() as refused:  # it may come before connect() has returned
        refused.recv(1)
    client.sendall(b"still open")
    assert receive(server, 10) == b"still open"
    proxy.remove("drop_connect_downstream")
    upstream.pair(proxy)


def test_the_metrics_count_what_a_toxic_did(embedded: Server, upstream: Upstream) -> None:
    proxy = embedded.proxy(upstream.address, 'a "b"')
    proxy.add("corrupt", "upstream", offset=2)
    proxy.add("latency", "upstream", latency=1)
    proxy.add("slicer", "upstream", average_size=100)  # Toxiproxy's own count nothing, latency excepted
    assert b"toxic_hits" not in embedded.call("GET", "/metrics").content
    client, server = upstream.pair(proxy)
    client.sendall(b"12345")
    receive(server, 5)
    lines = [line for line in embedded.call("GET", "/metrics").text.splitlines() if "toxic_hits_total{" in line]
    assert sorted(lines) == [
        r'toxiproxy_proxy_toxic_hits_total{proxy="a \"b\"",toxic="corrupt_upstream"} 1',
        r'toxiproxy_proxy_toxic_hits_total{proxy="a \"b\"",toxic="latency_upstream"} 1',
    ]


def test_toxics_made_with_their_proxy_are_there_for_its_first_connection(embedded: Server, upstream: Upstream) -> None:
    toxics = [{"type": "limit_data", "attributes": {"bytes": 3}}, {"type": "latency", "stream": "upstream"}]
    proxy = embedded.proxy(upstream.address, initial_toxics=toxics)
    client, server = upstream.pair(proxy)
    server.sendall(b"12345")
    assert receive(client, 10) == b"123"
    assert [toxic["name"] for toxic in embedded.ask("GET", "/proxies/p")["toxics"]] == [
        "latency_upstream",
        "limit_data_downstream",
    ]


@pytest.mark.parametrize(
    ("toxics", "status"), [(1, 400), ([{"type": "none"}], 400), ([{"type": "noop"}, {"type": "noop"}], 409)]
)
def test_a_proxy_with_a_bad_toxic_is_not_made(embedded: Server, toxics: object, status: int) -> None:
    body = {"name": "p", "upstream": "127.0.0.1:9", "initial_toxics": toxics}
    assert embedded.call("POST", "/proxies", body).status_code == status
    assert embedded.ask("GET", "/proxies") == {}
