"""How much a call costs the load engine, compared with wrk and locust's FastHttpUser (`python benchmarks/engine.py`).

All load the same server in turn, from one process with 16 connections, one request under way on each. Calls per second of the
generator's own processor time can be compared even on a busy machine; the server, in a process of its own, is cheaper than any
of them. wrk is closed loop and checks nothing; the engine and locust time each call and look at its answer.

`--workers 1 2 4` compares different numbers of engine processes, with as many server processes on one port: how many calls a
second they make together, how many per CPU-second, and how many cores a million a second would take. With `--namespaces` (as
root) each of these processes lives in a network namespace, as if on a machine of its own, and so do the servers together.

`--memory-s 600` makes 100,000 calls a second for that long, and prints the engine's memory meanwhile.
"""

from __future__ import annotations

import argparse
import gc
import os
import re
import resource
import shutil
import statistics
import subprocess
import sys
import time
from array import array
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Literal, NamedTuple, TypeVar

import footprint

from harness.cluster import namespaces
from harness.cluster.network_namespaces import NetworkNamespaces, missing
from harness.model.load import Load
from workloads.load.engine import Engine, EngineTask, Exchange, Snapshot
from workloads.load.engine.snapshot import PAGE_BYTES, Page
from workloads.load.engine.tally import OK, Tally
from workloads.load.engine.task import Prepare

T = TypeVar("T")
CONNECTIONS = 16
SECONDS = 2
REQUEST = Exchange(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", (b"ok",))

_SERVER = r"""
import asyncio, sys, uvloop
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
class Server(asyncio.Protocol):
    def connection_made(self, transport): self.transport = transport
    def data_received(self, data): self.transport.write(ANSWER * data.count(b"\r\n\r\n"))
async def main():
    server = await asyncio.get_running_loop().create_server(Server, sys.argv[1], int(sys.argv[2]), reuse_port=True)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()
uvloop.run(main())
"""

_LOCUST = r"""
import sys, time
import gevent
from locust import FastHttpUser, task
from locust.env import Environment
class User(FastHttpUser):
    host = sys.argv[1]
    @task
    def call(self):
        with self.client.get("/", catch_response=True) as answer:
            if answer.text != "ok":
                answer.failure("not what was expected")
environment = Environment(user_classes=[User])
runner = environment.create_local_runner()
runner.start(int(sys.argv[2]), int(sys.argv[2]))
gevent.sleep(0.5)
before, from_s = environment.stats.total.num_requests, time.process_time()
gevent.sleep(float(sys.argv[3]))
print(environment.stats.total.num_requests - before, time.process_time() - from_s)
"""


class Figure(NamedTuple):
    calls: int
    cpu_s: float

    @property
    def per_cpu_s(self) -> float:
        return self.calls / self.cpu_s


class Machines:
    """A network namespace for each process of the engine, and one for the servers."""

    def __init__(self, made: NetworkNamespaces) -> None:
        self._made = made
        self.host = made.address("server")

    def start(self, name: str, do: Callable[[], T]) -> T:
        """Call `do` in a namespace: a process that it starts lives there."""
        descriptor = os.open(self._made.namespace(name), os.O_RDONLY | os.O_CLOEXEC)
        try:
            return namespaces.within(descriptor, do)
        finally:
            os.close(descriptor)


class SpreadEngine(Engine):
    """The load engine, each process in a namespace of its own."""

    def __init__(self, task: EngineTask, processes: int, machines: Machines) -> None:
        super().__init__(task, processes)
        self._machines = machines

    def _fork(self, prepare: Prepare) -> None:
        self._machines.start(f"load{prepare.number}", lambda: super(SpreadEngine, self)._fork(prepare))


@contextmanager
def opened(processes: int, apart: bool) -> Iterator[Machines | None]:
    """Namespaces for this many processes of the engine; None unless they are to be `apart`."""
    if not apart:
        yield None
        return
    names = ["server", *(f"load{number}" for number in range(processes))]
    with NetworkNamespaces.opened(names) as made:
        yield Machines(made)


@contextmanager
def serving(processes: int = 1, machines: Machines | None = None) -> Iterator[tuple[str, int]]:
    """Run this many server processes on one port; the kernel spreads the connections over them."""
    host = machines.host if machines else "127.0.0.1"
    started: list[subprocess.Popen[bytes]] = []
    port = 0
    try:
        for _ in range(processes):
            start = partial(_server, host, port)
            process = machines.start("server", start) if machines else start()
            started.append(process)
            assert process.stdout is not None
            port = int(process.stdout.readline())
        yield host, port
    finally:
        for process in started:
            process.kill()
            process.wait()


def _server(host: str, port: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", _SERVER, host, str(port)], stdout=subprocess.PIPE)


def load(
    address: tuple[str, int],
    rate: float,
    arrivals: Literal["constant", "poisson"] = "constant",
    depth: int = 1,
    seconds: float = SECONDS,
    processes: int = 1,
    machines: Machines | None = None,
) -> Snapshot:
    """Run the engine for a while and return what it did, which is less than asked for if the rate is too high."""
    asked = Load(rate=rate, seconds=seconds, clients=CONNECTIONS * processes, arrivals=arrivals, timeout_ms=300)
    task = EngineTask(address=address, exchanges=[REQUEST], load=asked, seed=1, depth=depth)
    with SpreadEngine(task, processes, machines) if machines else Engine(task, processes) as engine:
        engine.start()
        return engine.wait()


def engine(address: tuple[str, int], depth: int = 1) -> Figure:
    counted = load(address, rate=400_000, depth=depth)
    return Figure(counted.ok, counted.cpu_s)


def wrk(address: tuple[str, int]) -> Figure:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [shutil.which("wrk") or "wrk", "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}", f"http://{address[0]}:{address[1]}/"]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    found = re.search(r"(\d+) requests in", text)
    assert found is not None, text
    return Figure(int(found[1]), after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def locust(address: tuple[str, int]) -> Figure:
    command = [sys.executable, "-c", _LOCUST, f"http://{address[0]}:{address[1]}", str(CONNECTIONS), str(SECONDS)]
    calls, cpu_s = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    return Figure(int(calls), float(cpu_s))


def recording_ns() -> float:
    """What recording a call costs: calls are counted in runs of 16, and put into three histograms every 10,000 calls."""
    fd = os.memfd_create("page")
    os.ftruncate(fd, PAGE_BYTES)
    tally = Tally(Page(fd))
    tally.begin(0)
    dues = array("q", range(16))
    gc.disable()  # as a worker does
    from_ns = time.process_time_ns()
    for flush in range(100):
        for run in range(625):
            now_ns = (flush * 625 + run) * 1000
            tally.left(dues, now_ns, 0)
            tally.ended(OK, dues, now_ns, now_ns + 500_000)
        tally.flush(0, finished=False)
    used_ns = time.process_time_ns() - from_ns
    gc.enable()
    return used_ns / 1_000_000


def scaling(workers: list[int], rounds: int, apart: bool) -> None:
    """Print how many calls the engine's processes make together, as a table in Markdown: medians of several rounds, in turn.

    With `apart`, each process is in a network namespace of its own.
    """
    found: dict[int, list[tuple[float, float]]] = {count: [] for count in workers}
    for _ in range(rounds):
        for count in workers:
            with opened(count, apart) as machines, serving(count, machines) as address:
                counted = load(address, rate=400_000 * count, depth=16, processes=count, machines=machines)
            found[count].append((counted.ok / counted.seconds, counted.ok / counted.cpu_s))
    first = statistics.median(per_cpu_s for _, per_cpu_s in found[workers[0]])
    print(f"{os.cpu_count()} cores; the servers run on them, too{'; a network namespace for each process' if apart else ''}")
    print("| processes | calls a second | calls per CPU-second | of the first line's | cores for 1,000,000/s |")
    print("| ---: | ---: | ---: | ---: | ---: |")
    for count, figures in found.items():
        rate, per_cpu_s = (statistics.median(column) for column in zip(*figures, strict=True))
        print(f"| {count} | {rate:,.0f} | {per_cpu_s:,.0f} | {per_cpu_s / first:.0%} | {1e6 / per_cpu_s:.1f} |")


def memory(address: tuple[str, int], seconds: float) -> None:
    """A long run at full rate, with a line after every tenth of it."""
    asked = Load(rate=100_000, seconds=seconds, clients=CONNECTIONS, arrivals="poisson", timeout_ms=1000)
    with Engine(EngineTask(address=address, exchanges=[REQUEST], load=asked, seed=1, depth=16)) as engine:
        engine.start()
        for part in range(1, 10):
            time.sleep(seconds / 10)
            counted = engine.snapshot()
            print(f"{part}/10: {counted.ok:,} ok, peak {footprint.peak_mib(engine.pids):.0f} MiB", flush=True)
        counted = engine.wait()
    late, p99_ms = ", ENGINE LATE" if counted.late else "", (counted.latency.percentile_ns(99) or 0) / 1e6
    print(
        f"{counted.ok:,} of {counted.due:,} ok in {seconds:g} s, p99 {p99_ms:.1f} ms{late};"
        f" no process had more than {_largest_mib():.0f} MiB"
    )


def _largest_mib() -> float:
    """The most memory that any process had that this one started and that has ended."""
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024


def main(rounds: int) -> None:
    contestants: dict[str, Callable[[tuple[str, int]], Figure]] = {
        "engine, depth 1": engine,
        "engine, depth 16": lambda address: engine(address, 16),
        "wrk": wrk,
        "FastHttpUser": locust,
    }
    figures: dict[str, list[float]] = {name: [] for name in contestants}
    with serving() as address:
        for _ in range(rounds):
            for name, measure in contestants.items():
                figures[name].append(measure(address).per_cpu_s)
        base = statistics.median(figures["FastHttpUser"])
        for name, values in figures.items():
            median = statistics.median(values)
            spread = f"{min(values):,.0f} to {max(values):,.0f}"
            print(f"{name:18} {median:10,.0f} calls per CPU-second ({spread}), {median / base:.1f}x")
        for rate in (1000, 20_000):
            counted = load(address, rate, "poisson", seconds=5)
            lag = [(counted.send_lag.percentile_ns(p) or 0) / 1e3 for p in (50, 99, 99.9)]
            print(
                f"Poisson {rate:,}/s: {counted.ok:,} of {counted.due:,} ok, send lag p50 {lag[0]:.0f} µs, p99 {lag[1]:.0f} µs, "
                f"p99.9 {lag[2]:.0f} µs, {counted.cpu_s / 5:.0%} of a core, starved {counted.starved_s:.3f} s"
            )
    print(f"recording: {min(recording_ns() for _ in range(rounds)):.0f} ns a call, leaving and ending, at depth 16")
    print(f"memory of the largest process: {_largest_mib():.0f} MiB; load average {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--memory-s", type=float, help="do only the long run")
    parser.add_argument("--workers", type=int, nargs="+", help="only compare these numbers of processes")
    parser.add_argument("--namespaces", action="store_true", help="with --workers: each in a network namespace of its own")
    options = parser.parse_args()
    if options.namespaces and not options.workers:
        parser.error("--namespaces goes with --workers")
    if options.namespaces and (lacks := missing()) is not None:
        parser.error(lacks)
    if options.workers:
        scaling(options.workers, options.rounds, options.namespaces)
    elif options.memory_s is None:
        main(options.rounds)
    else:
        with serving() as server:
            memory(server, options.memory_s)
