"""How a client's connection gets to its upstream, or fails to and says why."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
from collections.abc import Iterator

import pytest

from tests.helpers.plane_world import (
    PATIENCE_S,
    ProxyHandle,
    Server,
    Upstream,
    closed_how,
    eventually,
    listening_upstream,
    receive,
    refused,
    silent,
    start_embedded,
)


def works(proxy: ProxyHandle, upstream: Upstream) -> bool:
    client, server = upstream.pair(proxy)
    client.sendall(b"through")
    return receive(server, 7) == b"through"


# --------------------------------------------------------------------------------------------------------------- names


def test_a_name_that_no_server_answers_for_holds_up_no_other(server_with_names: Server, upstream: Upstream) -> None:
    unanswered = [server_with_names.proxy(f"unanswered{number}.example:80", f"bad{number}") for number in range(6)]
    good = server_with_names.proxy(upstream.address.replace("127.0.0.1", "localhost"), "good")
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(proxy.connect()) for proxy in unanswered for _ in range(2)]
        assert all(silent(client, 0.01) for client in clients)
        assert works(good, upstream)


@pytest.mark.parametrize("server_with_names", ["embedded"], indirect=True)  # the real one takes 10 s to remove it
def test_a_proxy_with_such_a_name_can_be_removed_and_the_server_ends(server_with_names: Server) -> None:
    proxy = server_with_names.proxy("unanswered.example:80")
    with proxy.connect() as client:
        assert silent(client, 0.05)
        server_with_names.ask("DELETE", proxy.path)
        assert closed_how(client) == "end"


@pytest.mark.parametrize("server_with_names", ["embedded"], indirect=True)
def test_a_listen_name_that_is_not_answered_holds_up_no_change_of_other_proxies(
    server_with_names: Server, upstream: Upstream
) -> None:
    server = server_with_names
    proxy = server.proxy(upstream.address)
    body = json.dumps({"name": "slow", "listen": "unanswered.example:0", "upstream": upstream.address})
    with socket.create_connection((server.host, server.port), timeout=PATIENCE_S) as waiting:
        waiting.sendall(f"POST /proxies HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())
        assert silent(waiting, 0.05)
        proxy.remove(proxy.add("noop"))
        server.ask("PATCH", proxy.path, {"enabled": False})
        server.ask("POST", "/reset")
        assert works(proxy, upstream)
        server.ask("DELETE", proxy.path)
        assert silent(waiting, 0.01)


@pytest.mark.nightly
@pytest.mark.parametrize("server_with_names", ["embedded"], indirect=True)
def test_a_look_up_that_is_not_answered_is_given_up(server_with_names: Server) -> None:
    with server_with_names.proxy("unanswered.example:80").connect() as client:
        assert closed_how(client) == "end"
    assert failures(server_with_names) == {"address": 1}


@contextlib.contextmanager
def deaf(host: str, port: int) -> Iterator[None]:
    """A listener whose queue is full: it does not answer further connects."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket(socket.AF_INET6))
        listener.bind((host, port))
        listener.listen(0)
        for _ in range(4):
            sock = stack.enter_context(socket.socket(socket.AF_INET6))
            sock.setblocking(False)
            sock.connect_ex((host, port))
        yield


def test_a_silent_address_of_a_name_is_not_waited_for_beside_a_good_one(server_with_names: Server, upstream: Upstream) -> None:
    port = upstream.address.rpartition(":")[2]
    with deaf("::1", int(port)):
        assert works(server_with_names.proxy(f"both:{port}"), upstream)


def test_an_address_that_refuses_is_passed_over(server_with_names: Server, upstream: Upstream) -> None:
    port = upstream.address.rpartition(":")[2]
    assert works(server_with_names.proxy(f"both:{port}"), upstream)


@pytest.mark.parametrize("host", ["127.1", "0x7f.1", "2130706433", "127.0.0.01"])
def test_what_only_the_c_library_takes_for_an_address_is_none(server: Server, upstream: Upstream, host: str) -> None:
    response = server.call("POST", "/proxies", {"name": "a", "upstream": "127.0.0.1:9", "listen": f"{host}:0"})
    assert response.status_code == 500
    assert response.json()["error"].startswith(f"listen tcp: lookup {host}")
    port = upstream.address.rpartition(":")[2]
    with server.proxy(f"{host}:{port}").connect() as client:
        assert closed_how(client) == "end"


def test_zeros_before_a_port_mean_nothing(server: Server, upstream: Upstream) -> None:
    port = upstream.address.rpartition(":")[2]
    assert works(server.proxy(f"127.0.0.1:{port:0>10}"), upstream)
    for listen in (f"127.0.0.1:{'0' * 5000}", f"127.0.0.1:-{'0' * 20}"):
        server.ask("POST", "/proxies", {"name": "zero", "upstream": "127.0.0.1:9", "listen": listen})
        server.ask("DELETE", "/proxies/zero")


def test_a_port_of_too_many_digits_is_refused(server: Server) -> None:
    for digits in ("0000065536", "9" * 5000):
        response = server.call("POST", "/proxies", {"name": "a", "upstream": "u", "listen": f"127.0.0.1:{digits}"})
        assert (response.status_code, response.json()) == refused(f"listen tcp: address {digits}: invalid port", 500)


# ------------------------------------------------------------------------------------------------------------ failures


def failures(server: Server) -> dict[str, int]:
    """Failed connections by reason, of all proxies."""
    counted: dict[str, int] = {}
    for line in server.call("GET", "/metrics").text.splitlines():
        if line.startswith("toxiproxy_proxy_connection_failures_total{"):
            reason = line.partition('reason="')[2].partition('"')[0]
            counted[reason] = counted.get(reason, 0) + int(line.rpartition(" ")[2])
    return counted


@pytest.mark.parametrize(
    ("upstream_text", "reason", "words"),
    [
        ("127.0.0.1:1", "refused", "dial tcp 127.0.0.1:1: connection refused"),
        ("[::1]:1", "refused", "dial tcp [::1]:1: connection refused"),
        ("nowhere", "address", "dial tcp: address nowhere: missing port in address"),
        ("127.0.0.1:none", "address", "dial tcp: lookup tcp/none: unknown port"),
        ("127.1:80", "address", "dial tcp: lookup 127.1: no such host"),
    ],
)
def test_a_connection_that_failed_says_why(upstream_text: str, reason: str, words: str) -> None:
    server = start_embedded(stderr=subprocess.PIPE)
    proxy = server.proxy(upstream_text, "n1>n2")
    for _ in range(3):
        with proxy.connect() as client:
            assert closed_how(client) == "end"
    assert failures(server) == {reason: 3}
    server.process.terminate()
    _, log = server.process.communicate()
    first, *rest = log.splitlines()
    assert first.partition(" ")[2] == f"proxy 'n1>n2': a connection failed: {words}"
    assert len(rest) < 3  # not one for each when they come close together
    server.stop()


@pytest.mark.parametrize("reader", ["does not read", "is gone"])
def test_a_log_whose_reader_is_slow_or_gone_holds_nothing_up(upstream: Upstream, reader: str) -> None:
    reading, writing = os.pipe()
    if reader == "is gone":
        os.close(reading)
    else:
        os.set_blocking(writing, False)
        with contextlib.suppress(BlockingIOError):
            while True:
                os.write(writing, b"x" * 512)
        os.set_blocking(writing, True)
    server = start_embedded(stderr=writing)
    os.close(writing)
    try:
        with server.proxy("127.0.0.1:1").connect() as client:
            assert closed_how(client) == "end"
        made = server.call("POST", "/proxies", {"name": "good", "upstream": upstream.address, "misspelt": 1})
        assert (made.status_code, "Warning" in made.headers) == (201, True)
        assert failures(server) == {"refused": 1}
        assert works(ProxyHandle(server, "good", made.json()["listen"]), upstream)
    finally:
        server.stop()
        if reader != "is gone":
            os.close(reading)


def test_connections_that_work_are_no_failures(embedded: Server, upstream: Upstream) -> None:
    proxy = embedded.proxy(upstream.address)
    for how in (socket.SHUT_WR, socket.SHUT_RDWR):
        client, server = upstream.pair(proxy)
        client.shutdown(how)
        assert closed_how(server) == "end"
    with proxy.connect():
        pass
    assert eventually(lambda: embedded.counters(proxy.name) != {})
    assert failures(embedded) == {}


URL = "http://127.0.0.1:80"
REFUSAL = refused(f"upstream '{URL}' is a URL; a proxy takes host:port", 400)


def test_an_upstream_that_is_a_url_is_refused(embedded: Server) -> None:
    made = embedded.call("POST", "/proxies", {"name": "p", "upstream": URL})
    assert (made.status_code, made.json()) == REFUSAL
    populated = embedded.call("POST", "/populate", [{"name": "p", "upstream": URL}])
    assert (populated.status_code, populated.json()) == (400, {**REFUSAL[1], "proxies": None})
    proxy = embedded.proxy("127.0.0.1:9")
    changed = embedded.call("PATCH", proxy.path, {"upstream": URL})
    assert (changed.status_code, changed.json()) == REFUSAL
    assert embedded.ask("GET", proxy.path)["upstream"] == "127.0.0.1:9"


def test_a_failed_connection_leaves_no_descriptor_behind(embedded: Server) -> None:
    with listening_upstream() as gone:
        address = gone.address
    proxy = embedded.proxy(address)

    def descriptors() -> int:
        line = next(line for line in embedded.call("GET", "/metrics").text.splitlines() if line.startswith("process_open_fds "))
        return int(line.partition(" ")[2])

    before = descriptors()
    for _ in range(50):
        with proxy.connect() as client:
            assert closed_how(client) == "end"
    assert eventually(lambda: descriptors() <= before)
