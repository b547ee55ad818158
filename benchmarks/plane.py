"""Compares the embedded fault plane with the real Toxiproxy: on one machine, with the same connections, in turn; prints ratios.

    python benchmarks/plane.py [--rounds N] [--only requests,bulk,idle,latency,proxies,memory]

The real server is taken from TOXIPROXY_SERVER, from PATH (`toxiproxy-server`), or from Go's bin folder. A ratio above 1 in
`requests/s`, `requests/CPU-s` and `MB/s` means that the embedded plane does more; one below 1 in `added`, `error` and `asleep`
means that it adds less.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import itertools
import os
import shutil
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import msgspec
import polled
import psutil
import uvloop
from processors import pin

ROOT = Path(__file__).resolve().parent.parent
MESSAGE = b"x" * 128
ECHO = """
import asyncio, uvloop
class Echo(asyncio.Protocol):
    def connection_made(self, transport): self.transport = transport
    def data_received(self, data): self.transport.write(data)
    def pause_writing(self): self.transport.pause_reading()
    def resume_writing(self): self.transport.resume_reading()
class Source(asyncio.Protocol):
    def connection_made(self, transport): self.transport = transport; self.block = bytes(256 * 1024)
    def data_received(self, data): self.resume_writing()
    def pause_writing(self): self.paused = True
    def resume_writing(self):
        self.paused = False
        while not (self.paused or self.transport.is_closing()): self.transport.write(self.block)
async def main():
    loop = asyncio.get_running_loop()
    servers = [await loop.create_server(kind, "127.0.0.1", 0, backlog=4096) for kind in (Echo, Source)]
    print(*[server.sockets[0].getsockname()[1] for server in servers], flush=True)
    await asyncio.Event().wait()
uvloop.run(main())
"""


@dataclass
class Plane:
    """One running fault plane."""

    name: str
    port: int
    process: psutil.Process

    def call(self, method: str, path: str, body: object = None) -> object:
        import http.client

        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request(method, path, msgspec.json.encode(body) if body is not None else None)
        response = connection.getresponse()
        content = response.read()
        connection.close()
        if response.status >= 300:
            raise RuntimeError(f"{self.name}: {method} {path}: {response.status} {content.decode()}")
        return msgspec.json.decode(content) if content else None

    def proxy(self, name: str, upstream_port: int) -> int:
        """Make a proxy and return its port."""
        made = self.call("POST", "/proxies", {"name": name, "listen": "127.0.0.1:0", "upstream": f"127.0.0.1:{upstream_port}"})
        return int(made["listen"].rpartition(":")[2])  # type: ignore[index]

    def cpu_s(self) -> float:
        times = self.process.cpu_times()
        return times.user + times.system

    def rss_mb(self) -> float:
        return self.process.memory_info().rss / 1e6


def real_server() -> str | None:
    """The path of the real Toxiproxy's server, if it is installed."""
    go_bin = Path(os.environ.get("GOPATH", Path.home() / "go")) / "bin" / "server"
    found = os.environ.get("TOXIPROXY_SERVER") or shutil.which("toxiproxy-server")
    return found or (str(go_bin) if go_bin.exists() else None)


@contextlib.contextmanager
def process(argv: list[str], **options: object) -> Iterator[subprocess.Popen[str]]:
    child = subprocess.Popen(argv, text=True, cwd=ROOT, **options)  # type: ignore[call-overload]
    try:
        yield child
    finally:
        child.terminate()
        child.wait()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@contextlib.contextmanager
def planes() -> Iterator[tuple[list[Plane], int, int]]:
    """The embedded plane and, if installed, the real one; and the ports of an echo server and of an endless source."""
    with contextlib.ExitStack() as stack:
        upstream = stack.enter_context(process([sys.executable, "-c", ECHO], stdout=subprocess.PIPE))
        assert upstream.stdout
        echo_port, source_port = map(int, upstream.stdout.readline().split())
        embedded = stack.enter_context(process([sys.executable, "-m", "faults.plane", "--port", "0"], stdout=subprocess.PIPE))
        assert embedded.stdout
        port = int(embedded.stdout.readline().rpartition(":")[2])
        running = [Plane("embedded", port, psutil.Process(embedded.pid))]
        binary = real_server()
        if binary:
            port = free_port()
            environment = {**os.environ, "LOG_LEVEL": "error"}
            real = stack.enter_context(process([binary, "-port", str(port)], stdout=subprocess.DEVNULL, env=environment))
            running.append(Plane("toxiproxy", port, psutil.Process(real.pid)))
            while not _answers(port):
                time.sleep(0.01)
        else:
            print("no real Toxiproxy here: set TOXIPROXY_SERVER, or `go install` it; figures without ratios follow")
        yield running, echo_port, source_port


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


# ----------------------------------------------------------------------------------------------------------- clients


class Pinger(asyncio.Protocol):
    """Sends a message, waits for it to come back, and sends it again."""

    def __init__(self, pause_s: float = 0.0) -> None:
        self.rounds_s: list[float] = []
        self.running = True
        self._pause_s = pause_s
        self._missing = len(MESSAGE)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.ping()

    def ping(self) -> None:
        if not self.running:
            return
        self._sent = time.perf_counter()
        self.transport.write(MESSAGE)

    def data_received(self, data: bytes) -> None:
        self._missing -= len(data)
        if self._missing == 0:
            self.rounds_s.append(time.perf_counter() - self._sent)
            self._missing = len(MESSAGE)
            if self._pause_s:
                asyncio.get_running_loop().call_later(self._pause_s, self.ping)
            else:
                self.ping()


async def ping(port: int, connections: int, seconds: float, pause_s: float = 0.0) -> list[float]:
    """Round trip times in seconds, of connections that have one message in flight each, with a pause before the next one."""
    loop = asyncio.get_running_loop()
    pingers = [(await loop.create_connection(lambda: Pinger(pause_s), "127.0.0.1", port))[1] for _ in range(connections)]
    await asyncio.sleep(0.1)
    for pinger in pingers:
        pinger.rounds_s.clear()
    await asyncio.sleep(seconds)
    for pinger in pingers:
        pinger.running = False
        pinger.transport.abort()
    return [taken for pinger in pingers for taken in pinger.rounds_s]


def receive(sock: socket.socket, count: int, buffer: bytearray | None = None) -> None:
    """Receive at least `count` bytes. Raises `ConnectionError` if the connection ends before."""
    buffer = buffer or bytearray(1024)
    left = count
    while left > 0:
        received = sock.recv_into(buffer)
        if not received:
            raise ConnectionError(f"the proxy ended the connection; {left:,} of {count:,} bytes were still to come")
        left -= received


def download(port: int, megabytes: int) -> float:
    """How many MB/s one connection gets from the endless source."""
    buffer = bytearray(1 << 18)  # outside what is measured
    with socket.create_connection(("127.0.0.1", port), timeout=30) as sock:
        sock.sendall(b"go")
        begun = time.perf_counter()
        receive(sock, megabytes * 1_000_000, buffer)
        return megabytes / (time.perf_counter() - begun)


# ------------------------------------------------------------------------------------------------------ measurements


def in_turn(measured: list[Plane], rounds: int, measure: Callable[[Plane], dict[str, float]]) -> dict[str, dict[str, float]]:
    """The median of every figure of each plane, the planes taking turns."""
    samples: dict[str, dict[str, list[float]]] = {plane.name: {} for plane in measured}
    for number in range(rounds):
        for plane in measured if number % 2 == 0 else measured[::-1]:
            for figure, value in measure(plane).items():
                samples[plane.name].setdefault(figure, []).append(value)
    return {name: {figure: statistics.median(values) for figure, values in own.items()} for name, own in samples.items()}


def show(title: str, results: dict[str, dict[str, float]], wanted: str = "") -> None:
    embedded, real = results["embedded"], results.get("toxiproxy")
    for figure, value in embedded.items():
        line = f"{title:<24} {figure:<22} embedded {value:>10.4g}"
        if real is not None:
            line += f"   toxiproxy {real[figure]:>10.4g}   ratio {value / real[figure]:.2f}"
        print(f"{line}   {wanted}".rstrip(), flush=True)


def requests(running: list[Plane], ports: dict[str, int], rounds: int) -> None:
    def measure(plane: Plane) -> dict[str, float]:
        cpu_s = plane.cpu_s()
        begun = time.perf_counter()
        count = len(uvloop.run(ping(ports[plane.name], 32, 1.5)))
        cpu_s, taken = plane.cpu_s() - cpu_s, time.perf_counter() - begun
        return {"requests/s": count / 1.5, "requests/CPU-s": count * taken / 1.6 / cpu_s}

    show("small, 32 connections", in_turn(running, rounds, measure), "(wanted >= 1.2)")


def bulk(running: list[Plane], ports: dict[str, int], rounds: int) -> None:
    show(
        "bulk, one connection",
        in_turn(running, rounds, lambda plane: {"MB/s": download(ports[plane.name], 1000)}),
        "(wanted >= 0.7)",
    )


def idle(running: list[Plane], ports: dict[str, int], rounds: int, direct_port: int) -> None:
    def measure(plane: Plane) -> dict[str, float]:
        direct = statistics.median(uvloop.run(ping(direct_port, 1, 0.3)))
        through = statistics.median(uvloop.run(ping(ports[plane.name], 1, 0.6)))
        return {"added us": (through - direct) * 1e6}

    show("idle round trip", in_turn(running, rounds, measure), "(wanted <= 1)")


@contextlib.contextmanager
def apart(running: list[Plane]) -> Iterator[None]:
    """Keep this process on one processor and the planes on the others.

    If a plane wakes up on the processor on which this process polls, the kernel lets it wait for a tick: 4 ms, whoever's plane.
    """
    before = os.sched_getaffinity(0)
    first, *others = sorted(before)
    if not others:
        print("one processor: the planes wait for this process as well")
        yield
        return
    planes = [plane.process.pid for plane in running]
    pin([os.getpid()], [first])
    pin(planes, others)
    try:
        yield
    finally:
        pin([os.getpid(), *planes], before)


def latency(running: list[Plane], ports: dict[str, int], rounds: int) -> None:
    """How much longer a round trip takes than the delay asked for, which is on one direction of a proxy.

    `error`: both ends poll (see `polled`), so this is due to the proxy alone, in both directions. It must not be below 0.
    `asleep`: client and upstream sleep while they wait, and the time they need to wake up counts, as it does for a user.
    """
    with apart(running), socket.create_server(("127.0.0.1", 0)) as listener:
        polled_ports = {plane.name: plane.proxy("polled", listener.getsockname()[1]) for plane in running}
        for delay_ms in (1, 5, 20, 100):
            for plane, name in itertools.product(running, ("echo", "polled")):
                plane.call("POST", f"/proxies/{name}/toxics", {"type": "latency", "attributes": {"latency": delay_ms}})
            connections = 4 if delay_ms < 100 else 16

            def measure(plane: Plane, delay_ms: int = delay_ms, connections: int = connections) -> dict[str, float]:
                cpu_s = plane.cpu_s()
                trips = polled.round_trips(polled_ports[plane.name], listener, MESSAGE, connections, 2, delay_ms / 1e3)
                cpu_s = plane.cpu_s() - cpu_s
                errors_ms = [trip * 1e3 - delay_ms for trip in trips]
                asleep_ms = [trip * 1e3 - delay_ms for trip in uvloop.run(ping(ports[plane.name], connections, 2))]
                return {
                    "error min ms": min(errors_ms),
                    "error p50 ms": statistics.median(errors_ms),
                    "error p99 ms": p99(errors_ms),
                    "asleep p50 ms": statistics.median(asleep_ms),
                    "asleep p99 ms": p99(asleep_ms),
                    "CPU us a trip": cpu_s * 1e6 / len(trips),
                }

            show(f"latency {delay_ms} ms", in_turn(running, rounds, measure), "(error p99 wanted <= 0.5)")
            for plane, name in itertools.product(running, ("echo", "polled")):
                plane.call("DELETE", f"/proxies/{name}/toxics/latency_downstream")


def p99(values: list[float]) -> float:
    return sorted(values)[int(len(values) * 0.99)]


def proxies(running: list[Plane], _: int, echo_port: int) -> None:
    def measure(plane: Plane) -> dict[str, float]:
        begun = time.perf_counter()
        listens = [plane.proxy(f"p{number}", echo_port) for number in range(1000)]
        made_s = time.perf_counter() - begun
        begun = time.perf_counter()
        sockets = [socket.create_connection(("127.0.0.1", port)) for port in listens]
        for sock in sockets:
            sock.sendall(MESSAGE)
        for sock in sockets:
            receive(sock, len(MESSAGE))
        used_s = time.perf_counter() - begun
        figures = {"made ms": made_s * 1e3, "all used once ms": used_s * 1e3, "RSS MB": plane.rss_mb()}
        for sock in sockets:
            sock.close()
        for number in range(1000):
            plane.call("DELETE", f"/proxies/p{number}")
        return figures

    show("1,000 proxies", in_turn(running, 1, measure))


def memory(running: list[Plane], ports: dict[str, int], _: int) -> None:
    def measure(plane: Plane) -> dict[str, float]:
        before = plane.rss_mb()
        with contextlib.ExitStack() as stack:
            for _ in range(20):
                sock = stack.enter_context(socket.create_connection(("127.0.0.1", ports[plane.name])))
                sock.sendall(b"go")
            time.sleep(1.5)
            return {"RSS grows by MB": max(plane.rss_mb() - before, 0.1)}

    show("20 readers that do not read", in_turn(running, 1, measure))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="requests,bulk,idle,latency,proxies,memory")
    options = parser.parse_args()
    only = options.only.split(",")
    gc.disable()
    with planes() as (running, echo_port, source_port):
        echo = {plane.name: plane.proxy("echo", echo_port) for plane in running}
        source = {plane.name: plane.proxy("source", source_port) for plane in running}
        if "requests" in only:
            requests(running, echo, options.rounds)
        if "bulk" in only:
            bulk(running, source, options.rounds)
        if "idle" in only:
            idle(running, echo, options.rounds, echo_port)
        if "latency" in only:
            latency(running, echo, options.rounds)
        if "proxies" in only:
            proxies(running, options.rounds, echo_port)
        if "memory" in only:
            memory(running, source, options.rounds)


if __name__ == "__main__":
    main()
