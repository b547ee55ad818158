"""HTTP as clients really speak it to the API, on the embedded server and on the real one."""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator

import pytest

from tests.helpers.plane_world import DOWN, PATIENCE_S, ProxyHandle, Server, Upstream, closed_how, eventually

UPGRADES = {
    "the JDK's HttpClient": ["Connection: Upgrade, HTTP2-Settings", "HTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABk", "Upgrade: h2c"],
    "a web socket": ["connection: keep-alive, upgrade", "upgrade: websocket"],
}


def request(method: str, path: str, body: object = None, *headers: str) -> bytes:
    content = b"" if body is None else json.dumps(body).encode()
    lines = [f"{method} {path} HTTP/1.1", "Host: plane", f"Content-Length: {len(content)}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + content


def chunked(method: str, path: str, body: object, *headers: str) -> bytes:
    content = json.dumps(body).encode()
    lines = [f"{method} {path} HTTP/1.1", "Host: plane", "Transfer-Encoding: chunked", *headers]
    return "\r\n".join([*lines, "", f"{len(content):x}", ""]).encode() + content + b"\r\n0\r\n\r\n"


@contextlib.contextmanager
def connected(server: Server) -> Iterator[socket.socket]:
    with socket.create_connection((server.host, server.port), timeout=PATIENCE_S) as sock:
        yield sock


def answers(sock: socket.socket, count: int) -> list[str]:
    """Status lines of the next answers on a connection."""
    reader = sock.makefile("rb")
    lines = []
    for _ in range(count):
        lines.append(reader.readline().decode().strip())
        length = 0
        while (header := reader.readline().strip()) != b"":
            if header.lower().startswith(b"content-length:"):
                length = int(header.partition(b":")[2])
        reader.read(length)
    return lines


@pytest.mark.parametrize("headers", UPGRADES.values(), ids=UPGRADES)
@pytest.mark.parametrize("encode", [request, chunked])
def test_an_offer_to_upgrade_is_declined_and_its_request_carried_out(
    server: Server, headers: list[str], encode: Callable[..., bytes]
) -> None:
    with connected(server) as sock:
        wholes = [encode("POST", "/proxies", {**DOWN, "name": name}, *headers) for name in ("a", "b")]
        sock.sendall(wholes[0] + wholes[1][:70])
        assert answers(sock, 1) == ["HTTP/1.1 201 Created"]
        sock.sendall(wholes[1][70:] + request("GET", "/version"))
        assert answers(sock, 2) == ["HTTP/1.1 201 Created", "HTTP/1.1 200 OK"]
    assert set(server.ask("GET", "/proxies")) == {"a", "b"}


def test_many_offers_at_once_are_each_answered(server: Server) -> None:
    with connected(server) as sock:
        sock.sendall(request("GET", "/version", None, *UPGRADES["a web socket"]) * 200)
        assert answers(sock, 200) == ["HTTP/1.1 200 OK"] * 200


def test_curl_with_http2_works(server: Server) -> None:
    curl = shutil.which("curl")
    if curl is None:
        pytest.skip("no curl on PATH: apt-get install curl")
    argv = [curl, "--silent", "--http2", "--data", json.dumps(DOWN), f"http://{server.host}:{server.port}/proxies"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=PATIENCE_S, check=True)
    assert json.loads(done.stdout)["name"] == "down"


# ------------------------------------------------------------------------------------------------- clients that leave

LEAVING = {"half-closes": lambda sock: sock.shutdown(socket.SHUT_WR), "closes": lambda sock: sock.close()}


@pytest.mark.parametrize("leaves", LEAVING)
def test_a_request_is_carried_out_though_its_client_leaves(server: Server, upstream: Upstream, leaves: str) -> None:
    for number in range(20):
        proxy = server.proxy(upstream.address, f"p{number}")
        client, _ = upstream.pair(proxy)
        with connected(server) as sock:
            sock.sendall(request("DELETE", proxy.path))
            LEAVING[leaves](sock)
            assert closed_how(client) == "end"
    assert eventually(lambda: server.ask("GET", "/proxies") == {})


def shown(proxy: ProxyHandle) -> tuple[str, bool]:
    now = proxy.server.ask("GET", proxy.path)
    return now["upstream"], now["enabled"]


@pytest.mark.parametrize("leaves", LEAVING)
def test_a_change_is_carried_out_though_its_client_leaves(server: Server, upstream: Upstream, leaves: str) -> None:
    proxy = server.proxy(upstream.address)
    for number in range(20):
        upstream.pair(proxy)
        wanted = [upstream.address, upstream.address.replace("127.0.0.1", "localhost")][number % 2 - 1]
        with connected(server) as sock:
            sock.sendall(request("PATCH", proxy.path, {"upstream": wanted}))
            LEAVING[leaves](sock)
        assert eventually(lambda wanted=wanted: shown(proxy) == (wanted, True))  # type: ignore[misc]


@pytest.mark.parametrize("leaves", LEAVING)
def test_populate_goes_on_though_its_client_leaves(server: Server, leaves: str) -> None:
    specs = [{"name": f"p{number}", "listen": "localhost:0", "upstream": "127.0.0.1:9"} for number in range(20)]
    with connected(server) as sock:
        sock.sendall(request("POST", "/populate", specs))
        LEAVING[leaves](sock)
    assert eventually(lambda: len(server.ask("GET", "/proxies")) == 20)


def test_a_client_that_has_half_closed_gets_its_answer(embedded: Server, upstream: Upstream) -> None:
    for _ in range(20):
        body = {"name": "p", "listen": "localhost:0", "upstream": upstream.address}
        with connected(embedded) as sock:
            sock.sendall(request("POST", "/proxies", body) + request("DELETE", "/proxies/p"))
            sock.shutdown(socket.SHUT_WR)
            assert answers(sock, 2) == ["HTTP/1.1 201 Created", "HTTP/1.1 204 No Content"]
            assert closed_how(sock) == "end"


def test_every_request_that_was_read_is_answered_before_the_one_that_cannot_be_read(embedded: Server) -> None:
    with connected(embedded) as sock:
        sock.sendall(request("POST", "/proxies", DOWN) + request("DELETE", "/proxies/down") + b"nonsense\r\n\r\n")
        assert answers(sock, 3) == ["HTTP/1.1 201 Created", "HTTP/1.1 204 No Content", "HTTP/1.1 400 Bad Request"]
