"""The differences from Toxiproxy on purpose: each point of docs/toxiproxy.md that a test can show."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from typing import Any

import pytest

from tests.helpers.plane_world import ProxyHandle, Server, Upstream, closed_how, receive, silent


@pytest.fixture
def proxy(embedded: Server, upstream: Upstream) -> ProxyHandle:
    return embedded.proxy(upstream.address, "n1>n2")


def test_counters_are_live_and_show_what_a_toxic_holds(proxy: ProxyHandle, upstream: Upstream) -> None:

    def counters() -> dict[tuple[str, str], int]:
        return proxy.server.counters(proxy.name)

    client, server = upstream.pair(proxy)
    client.sendall(b"12345")
    receive(server, 5)
    assert counters() == {
        ("received", "upstream"): 5,
        ("sent", "upstream"): 5,
        ("received", "downstream"): 0,
        ("sent", "downstream"): 0,
    }
    proxy.add("bandwidth", "upstream", rate=0)
    client.sendall(b"held")
    while counters()["received", "upstream"] < 9:
        pass
    assert counters()["sent", "upstream"] == 5
    proxy.remove("bandwidth_upstream")
    assert receive(server, 4) == b"held"
    assert counters()["sent", "upstream"] == 9


def test_connections_are_counted(proxy: ProxyHandle, upstream: Upstream) -> None:
    for _ in range(3):
        upstream.pair(proxy)
    text = proxy.server.call("GET", "/metrics").text
    assert 'toxiproxy_proxy_connections_total{proxy="n1>n2"} 3\n' in text


def test_the_server_tells_what_it_uses_itself(proxy: ProxyHandle, upstream: Upstream) -> None:
    def used() -> dict[str, float]:
        lines = [line for line in proxy.server.call("GET", "/metrics").text.splitlines() if line.startswith("process_")]
        return {name: float(value) for name, value in (line.split(" ") for line in lines)}

    before = used()
    assert before.keys() == {
        "process_cpu_seconds_total",
        "process_max_fds",
        "process_open_fds",
        "process_resident_memory_bytes",
        "process_start_time_seconds",
        "process_virtual_memory_bytes",
    }
    assert all(before.values())
    upstream.pair(proxy)
    assert used()["process_open_fds"] >= before["process_open_fds"] + 2
    assert used()["process_start_time_seconds"] == before["process_start_time_seconds"] < time.time()


@pytest.mark.parametrize(
    "attributes", [{}, {"average_size": -5}, {"average_size": 1, "size_variation": 900}, {"size_variation": 1}]
)
def test_absurd_slicers_pass_the_bytes(proxy: ProxyHandle, upstream: Upstream, attributes: dict[str, Any]) -> None:
    proxy.add("slicer", **attributes)
    client, server = upstream.pair(proxy)
    server.sendall(b"0123456789" * 20)
    assert receive(client, 200) == b"0123456789" * 20


def test_a_negative_rate_stalls(proxy: ProxyHandle, upstream: Upstream) -> None:
    proxy.add("bandwidth", rate=-1)
    client, server = upstream.pair(proxy)
    server.sendall(b"held")
    assert silent(client)
    proxy.remove("bandwidth_downstream")
    assert receive(client, 4) == b"held"


@pytest.mark.parametrize("kind", ["latency", "bandwidth", "slow_close", "timeout", "reset_peer", "slicer", "limit_data"])
@pytest.mark.parametrize("value", [-(2**63), -1, 2**63 - 1])
def test_absurd_attributes_leave_the_server_alive(proxy: ProxyHandle, upstream: Upstream, kind: str, value: int) -> None:
    names = proxy.server.ask("POST", f"{proxy.path}/toxics", {"type": kind})["attributes"]
    proxy.update(f"{kind}_downstream", **dict.fromkeys(names, value))
    client, server = upstream.pair(proxy)
    server.sendall(b"x" * 1000)
    with contextlib.suppress(ConnectionError):  # reset_peer may be quicker
        client.sendall(b"other way")
        receive(server, 9)
    proxy.remove(f"{kind}_downstream")
    assert proxy.server.call("GET", "/version").ok


def test_a_toxic_can_be_removed_while_the_receiver_does_not_read(proxy: ProxyHandle, upstream: Upstream) -> None:
    client, server = upstream.pair(proxy)
    server.setblocking(False)
    for _ in range(3):
        proxy.add("latency", latency=1)
        with contextlib.suppress(BlockingIOError):
            while True:
                server.send(b"x" * 65536)
        proxy.remove("latency_downstream")
    client.close()


def test_a_pending_reset_holds_nothing_up_and_still_comes(proxy: ProxyHandle, upstream: Upstream) -> None:
    client, server = upstream.pair(proxy)
    proxy.add("reset_peer", timeout=300)
    begun = time.monotonic()
    server.sendall(b"lost")
    while proxy.server.counters(proxy.name)["received", "downstream"] < 4:
        pass
    proxy.remove("reset_peer_downstream")
    assert silent(client, 0.001)
    assert closed_how(client) == "reset"
    assert time.monotonic() - begun >= 0.3


def test_reset_peer_resets_connections_older_than_itself(proxy: ProxyHandle, upstream: Upstream) -> None:
    client, server = upstream.pair(proxy)
    proxy.add("reset_peer")
    server.sendall(b"x")
    assert (closed_how(client), closed_how(server)) == ("reset", "reset")


def test_a_spared_connection_of_reset_peer_closes_in_order(proxy: ProxyHandle, upstream: Upstream) -> None:
    proxy.add("reset_peer", toxicity=0.0)
    client, server = upstream.pair(proxy)
    server.sendall(b"x")
    server.shutdown(1)
    assert receive(client, 1) == b"x"
    assert closed_how(client) == "end"


def test_adding_a_toxic_does_not_disturb_the_one_before_it(proxy: ProxyHandle, upstream: Upstream) -> None:
    proxy.add("bandwidth", rate=0)
    client, server = upstream.pair(proxy)
    server.sendall(b"held")
    assert silent(client)
    proxy.add("noop")
    assert silent(client)
    proxy.remove("noop_downstream")
    assert silent(client)


def test_a_refused_update_changes_nothing(proxy: ProxyHandle) -> None:
    proxy.add("slicer", average_size=1, delay=2)
    path = f"{proxy.path}/toxics/slicer_downstream"
    before = proxy.server.ask("GET", path)
    refused = proxy.server.call("PATCH", path, {"attributes": {"average_size": 9, "delay": "x"}})
    assert refused.status_code == 400
    assert proxy.server.ask("GET", path) == before


def test_reset_goes_on_past_a_proxy_that_cannot_listen(embedded: Server) -> None:
    embedded.ask("POST", "/proxies", {"name": "a", "upstream": "u", "listen": "garbage", "enabled": False})
    embedded.ask("POST", "/proxies", {"name": "b", "upstream": "u", "enabled": False})
    for name in ("a", "b"):
        embedded.ask("POST", f"/proxies/{name}/toxics", {"type": "noop"})
    response = embedded.call("POST", "/reset")
    assert (response.status_code, response.json()["error"]) == (500, "listen tcp: address garbage: missing port in address")
    shown = embedded.ask("GET", "/proxies")
    assert [(proxy["enabled"], proxy["toxics"]) for proxy in shown.values()] == [(False, []), (True, [])]


def test_an_upstream_that_never_answers_the_dial_delays_no_other(embedded: Server, upstream: Upstream) -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        address = f"127.0.0.1:{deaf.getsockname()[1]}"
        fill = [socket.socket() for _ in range(4)]
        for sock in fill:
            sock.setblocking(False)
            sock.connect_ex(deaf.getsockname())  # its queue is full: further dials hang
        proxy = embedded.proxy(address)
        hanging = [proxy.connect() for _ in range(3)]
        assert all(silent(sock, 0.01) for sock in hanging)
        embedded.ask("PATCH", proxy.path, {"upstream": upstream.address})
        client, server = upstream.pair(proxy)
        client.sendall(b"through")
        assert receive(server, 7) == b"through"
        for sock in (*fill, *hanging):
            sock.close()


def test_a_reset_by_the_client_ends_the_connection(proxy: ProxyHandle, upstream: Upstream) -> None:
    client, server = upstream.pair(proxy)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()
    assert closed_how(server) in ("end", "reset")


def test_a_sender_is_held_back_when_the_receiver_does_not_read(proxy: ProxyHandle, upstream: Upstream) -> None:
    client, server = upstream.pair(proxy)
    total = 64 * 1024 * 1024
    thread = threading.Thread(target=server.sendall, args=(bytes(total),))
    thread.start()
    seen, again = -1, -2
    while seen != again:  # until it stands still
        again = seen
        seen = proxy.server.counters(proxy.name)["received", "downstream"]
        time.sleep(0.05)
    assert 0 < seen < total
    assert len(receive(client, total)) == total
    thread.join()
