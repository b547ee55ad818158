"""The HTTP API's frame, on the embedded server and on the real one: paths, methods, headers, raw HTTP."""

from __future__ import annotations

import contextlib
import socket

import pytest

from tests.helpers.plane_world import PATIENCE_S, Server

GET = b"GET /version HTTP/1.1\r\nHost: x\r\n"
POST = b"POST /populate HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"


def test_version_names_the_api(server: Server) -> None:
    response = server.call("GET", "/version")
    assert response.status_code == 200
    assert response.headers["Content-Type"] == "application/json;charset=utf-8"
    assert response.json().keys() == {"version"}
    assert response.text.endswith("\n")


@pytest.mark.parametrize(
    ("method", "path", "status", "text"),
    [
        ("GET", "/nothing", 404, "404 page not found\n"),
        ("GET", "/proxies/", 404, "404 page not found\n"),
        ("GET", "/proxies/x/toxics/", 404, "404 page not found\n"),
        ("GET", "/proxies/x/other", 404, "404 page not found\n"),
        ("PUT", "/proxies", 405, ""),
        ("HEAD", "/version", 405, ""),
        ("DELETE", "/version", 405, ""),
        ("GET", "/reset", 405, ""),
        ("GET", "/populate", 405, ""),
        ("OPTIONS", "/proxies", 405, ""),
        ("PUT", "/proxies/x", 405, ""),
        ("PUT", "/proxies/x/toxics/y", 405, ""),
        ("GET", "//proxies", 301, ""),
    ],
)
def test_unknown_paths_and_methods(server: Server, method: str, path: str, status: int, text: str) -> None:
    response = server.call(method, path)
    assert (response.status_code, response.text) == (status, text)
    assert "X-Toxiproxy-Request-Id" not in response.headers


def test_browsers_are_refused_on_every_route(server: Server) -> None:
    response = server.call("GET", "/proxies", agent="Mozilla/5.0")
    assert (response.status_code, response.text) == (403, "User agent not allowed\n")
    assert server.call("GET", "/nothing", agent="Mozilla/5.0").status_code == 404


def test_errors_are_json_labelled_as_text_with_a_newline(server: Server) -> None:
    response = server.call("GET", "/proxies/none")
    assert response.status_code == 404
    assert response.text == '{"error":"proxy not found","status":404}\n'
    assert response.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert response.headers["X-Content-Type-Options"] == "nosniff"


def test_every_route_answers_with_an_id_of_its_own(server: Server) -> None:
    seen = {server.call("GET", "/proxies").headers["X-Toxiproxy-Request-Id"] for _ in range(3)}
    assert len(seen) == 3


@pytest.mark.parametrize(
    ("request_text", "beginning"),
    [
        (b"garbage\r\n\r\n", b"HTTP/1.1 400 Bad Request\r\n"),
        (b"\x00\xff\x01\r\n\r\n", b"HTTP/1.1 400 Bad Request\r\n"),
        (b"GET /version HTTP/1.1\r\n\r\n", b"HTTP/1.1 400 Bad Request: missing required Host header\r\n"),
        (GET + b"Content-Length: abc\r\n\r\n", b"HTTP/1.1 400 Bad Request\r\n"),
        (GET + b"no colon\r\n\r\n", b"HTTP/1.1 400 Bad Request\r\n"),
        (b"GET /%zz HTTP/1.1\r\nHost: x\r\n\r\n", b"HTTP/1.1 400 Bad Request\r\n"),
        (b"GET /" + b"a" * 3_000_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", b"HTTP/1.1 431 Request Header Fields Too Large\r\n"),
        (b"GET /version HTTP/1.0\r\n\r\n", b"HTTP/1.0 200 OK\r\n"),
        (b"GET http://any/version HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", b"HTTP/1.1 200 OK\r\n"),
        (GET + b"Upgrade: websocket\r\nConnection: close, Upgrade\r\n\r\n", b"HTTP/1.1 200 OK\r\n"),
        (POST + b"Transfer-Encoding: chunked\r\n\r\n2\r\n[]\r\n0\r\n\r\n", b"HTTP/1.1 201 Created\r\n"),
        (
            POST + b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\n[]",
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\n",
        ),
    ],
)
def test_raw_requests_are_answered_alike(server: Server, request_text: bytes, beginning: bytes) -> None:
    with socket.create_connection((server.host, server.port), timeout=PATIENCE_S) as sock:
        answer = b""
        with contextlib.suppress(ConnectionError):  # it may answer and close before it has read it all
            sock.sendall(request_text)
        with contextlib.suppress(ConnectionResetError):
            while part := sock.recv(65536):
                answer += part
    assert answer.startswith(beginning)


def test_a_connection_serves_many_requests_also_when_sent_at_once(server: Server) -> None:
    with socket.create_connection((server.host, server.port), timeout=PATIENCE_S) as sock:
        sock.sendall((GET + b"\r\n") * 99 + GET + b"Connection: close\r\n\r\n")
        answer = b""
        while part := sock.recv(65536):
            answer += part
    assert answer.count(b"HTTP/1.1 200 OK") == 100
    assert answer.count(b'{"version": "') == 100
