"""What the fault plane's tests share: a running server of either kind, an upstream to proxy to, raw HTTP, sockets."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import requests

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 10.0
"""How long anything may take before a test gives it up; no test waits it out when all is well."""

CANNOT = "bad request body: json: cannot unmarshal "
WRAPPER = "into Go struct field ToxicWrapper"
POPULATED = 'struct { toxiproxy.Proxy; Enabled *bool "json:\\"enabled\\"" }'
DOWN = {"name": "down", "upstream": "127.0.0.1:9", "enabled": False, "listen": "127.0.0.1:0"}
"""A proxy that binds nothing."""


def refused(message: str, status: int) -> tuple[int, dict[str, object]]:
    return status, {"error": message, "status": status}


@dataclass
class Server:
    """A running fault plane, embedded or real."""

    kind: str
    host: str
    port: int
    process: subprocess.Popen[str]
    session: requests.Session = field(default_factory=requests.Session)

    def call(
        self, method: str, path: str, body: object = None, *, raw: bytes | None = None, agent: str = "test"
    ) -> requests.Response:
        """One request; `body` as JSON, or `raw` bytes as they are."""
        return self.session.request(
            method,
            f"http://{self.host}:{self.port}{path}",
            json=body,
            data=raw,
            headers={"User-Agent": agent},
            timeout=PATIENCE_S,
            allow_redirects=False,
        )

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """The decoded answer of a request that must succeed."""
        response = self.call(method, path, body)
        assert response.ok, response.text
        return response.json() if response.content else None

    def proxy(self, upstream: str, name: str = "p", **fields: object) -> ProxyHandle:
        made = self.ask("POST", "/proxies", {"name": name, "listen": "127.0.0.1:0", "upstream": upstream, **fields})
        return ProxyHandle(self, name, made["listen"])

    def counters(self, name: str) -> dict[tuple[str, str], int]:
        """Bytes by ("received" or "sent", direction) of one proxy, over all its addresses."""
        sums: dict[tuple[str, str], int] = {}
        for line in self.call("GET", "/metrics").text.splitlines():
            for which in ("received", "sent"):
                if line.startswith(f"toxiproxy_proxy_{which}_bytes_total") and f'proxy="{name}"' in line:
                    direction = line.partition('direction="')[2].partition('"')[0]
                    sums[which, direction] = sums.get((which, direction), 0) + int(float(line.rpartition(" ")[2]))
        return sums

    def stop(self) -> None:
        self.session.close()
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(PATIENCE_S)
        finally:
            self.process.kill()
            for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
                if stream is not None:
                    stream.close()


@dataclass
class ProxyHandle:
    """A proxy on a server."""

    server: Server
    name: str
    listen: str

    @property
    def path(self) -> str:
        return f"/proxies/{quote(self.name, safe='')}"

    def add(
        self, kind: str, stream: str = "downstream", name: str | None = None, toxicity: float = 1.0, **attributes: object
    ) -> str:
        """Add a toxic; its name."""
        body = {"type": kind, "stream": stream, "toxicity": toxicity, "attributes": attributes}
        return str(self.server.ask("POST", f"{self.path}/toxics", body if name is None else {**body, "name": name})["name"])

    def update(self, toxic: str, toxicity: float = 1.0, **attributes: object) -> None:
        self.server.ask("PATCH", f"{self.path}/toxics/{toxic}", {"toxicity": toxicity, "attributes": attributes})

    def remove(self, toxic: str) -> None:
        self.server.ask("DELETE", f"{self.path}/toxics/{toxic}")

    def connect(self) -> socket.socket:
        return connect(self.listen)


def connect(address: str) -> socket.socket:
    host, _, port = address.rpartition(":")
    return socket.create_connection((host.strip("[]"), int(port)), timeout=PATIENCE_S)


def start_embedded(*arguments: str, within: Sequence[str] = (), **options: Any) -> Server:
    """Start the embedded server on a free port; returns when it says where it listens. `within` precedes its command."""
    argv = [*within, sys.executable, "-m", "faults.plane", "--port", "0", *arguments]
    process = subprocess.Popen(argv, cwd=ROOT, text=True, stdout=subprocess.PIPE, **options)
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line.startswith("listening on 127.0.0.1:"), line
    return Server("embedded", "127.0.0.1", int(line.rpartition(":")[2]), process)


def start_real(binary: str, within: Sequence[str] = (), **options: Any) -> Server:
    """Start the real server; returns when it answers. `within` precedes its command."""
    for _ in range(20):
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = int(probe.getsockname()[1])
        argv = [*within, binary, "-port", str(port), "-proxy-metrics"]
        environment = {**os.environ, "LOG_LEVEL": "info"}
        process = subprocess.Popen(argv, text=True, stdout=subprocess.PIPE, env=environment, **options)
        server = Server("real", "127.0.0.1", port, process)
        if _has_started(server):
            threading.Thread(target=_drain, args=(process,), daemon=True).start()
            return server
        server.stop()
    raise RuntimeError(f"{binary} does not start")


def _has_started(server: Server) -> bool:
    assert server.process.stdout is not None
    for line in server.process.stdout:
        if "Starting Toxiproxy HTTP server" in line:
            break
    while server.process.poll() is None:
        with contextlib.suppress(requests.ConnectionError):
            return server.call("GET", "/version").ok
    return False


def _drain(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    with contextlib.suppress(ValueError):
        for _ in process.stdout:
            pass


@dataclass
class Upstream:
    """A listener whose connections the test takes one by one and speaks for."""

    listener: socket.socket
    accepted: queue.SimpleQueue[socket.socket] = field(default_factory=queue.SimpleQueue)
    taken: list[socket.socket] = field(default_factory=list)

    @property
    def address(self) -> str:
        host, port = self.listener.getsockname()[:2]
        return f"{host}:{port}"

    def take(self) -> socket.socket:
        """The next connection that was made to it."""
        connection = self.accepted.get(timeout=PATIENCE_S)
        connection.settimeout(PATIENCE_S)
        self.taken.append(connection)
        return connection

    def pair(self, proxy: ProxyHandle) -> tuple[socket.socket, socket.socket]:
        """A new client of a proxy, and the upstream's end of its connection."""
        client = proxy.connect()
        self.taken.append(client)
        return client, self.take()


@contextlib.contextmanager
def listening_upstream() -> Iterator[Upstream]:
    upstream = Upstream(socket.create_server(("127.0.0.1", 0), backlog=1024))

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                upstream.accepted.put(upstream.listener.accept()[0])

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield upstream
    finally:
        with contextlib.suppress(OSError):
            upstream.listener.shutdown(socket.SHUT_RDWR)
        upstream.listener.close()
        for connection in upstream.taken:
            connection.close()


def receive(sock: socket.socket, size: int) -> bytes:
    """Exactly this many bytes; fewer only if the connection ends first."""
    parts, missing = [], size
    while missing and (part := sock.recv(missing)):
        parts.append(part)
        missing -= len(part)
    return b"".join(parts)


def closed_how(sock: socket.socket) -> str:
    """Read to the end of a connection: "end" for an orderly close, "reset" for RST; what was read on the way is dropped."""
    try:
        while sock.recv(65536):
            pass
    except ConnectionResetError:
        return "reset"
    return "end"


def silent(sock: socket.socket, seconds: float = 0.15) -> bool:
    """Whether nothing, not even an end, comes for a while."""
    before = sock.gettimeout()
    sock.settimeout(seconds)
    try:
        sock.recv(1)
    except TimeoutError:
        return True
    finally:
        sock.settimeout(before)
    return False


def eventually(holds: Callable[[], bool]) -> bool:
    """Repeat until it holds; False if it still does not after `PATIENCE_S`."""
    begun = time.monotonic()
    while not holds():
        if time.monotonic() > begun + PATIENCE_S:
            return False
    return True


STREAMS = ["upstream", "downstream"]


def ends(stream: str, client_and_server: tuple[socket.socket, socket.socket]) -> tuple[socket.socket, socket.socket]:
    """The sending and the receiving socket of a stream."""
    client, server = client_and_server
    return (client, server) if stream == "upstream" else (server, client)
