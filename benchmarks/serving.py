"""Serving end to end: engine -> balancer -> replicas, every answer verified; beside HAProxy in front of the same replicas.

`python benchmarks/serving.py --rate 100000 --depth 16 --seconds 60` asks for a rate and prints what came of it: done a second,
latency from the due time, and processor time of each part. `--balancers ours haproxy` takes turns, `--rounds` times each;
`--plane` puts every link through the embedded fault plane (ours only).
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import random
import shutil
import signal
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec
import psutil

from faults.servers import PLANE
from harness.cluster import Cluster
from harness.drill import Load
from harness.node import NodeSpec
from harness.ports import HOST, reserved
from harness.processes import Processes
from harness.wire import Address, Client, WireError
from systems.serving import Serving, artifacts
from systems.serving.messages import PredictRequest
from workloads.engine import Engine, EngineTask, Exchange, Snapshot

_BALANCER: Final = "balancer"


@dataclass
class Running:
    """A system that answers: where, and which processes do which part."""

    address: Address
    pids: dict[str, list[int]] = field(default_factory=dict)

    def cpu_s(self) -> dict[str, float]:
        return {part: sum(_cpu_s(pid) for pid in pids) for part, pids in self.pids.items()}


@contextlib.asynccontextmanager
async def direct(replicas: int, balancer: str, folder: Path) -> AsyncIterator[Running]:
    """Replicas that a balancer calls directly: ours, or HAProxy with one thread and redispatch."""
    system = Serving(replicas=replicas)
    system.prepare()
    with reserved(replicas + 1) as ports:
        nodes = {node.name: node for node in system.nodes()}
        addresses = dict(zip(nodes, ((HOST, port) for port in ports), strict=True))
        async with Processes.opened(system.preload(), folder / "warden.log") as processes:
            running = Running(addresses[_BALANCER], {_BALANCER: [], "replicas": []})
            for name, node in nodes.items():
                if name == _BALANCER and balancer == "haproxy":
                    continue
                spec = NodeSpec(
                    name=name,
                    start=0,
                    host=HOST,
                    port=addresses[name][1],
                    data=str(folder / name),
                    log=str(folder / f"{name}.log"),
                    seed=1,
                    code=node.code,
                    peers={peer: addresses[peer] for peer in node.peers},
                    config=dict(node.config),
                )
                (folder / name).mkdir(exist_ok=True)
                running.pids[_BALANCER if name == _BALANCER else "replicas"].append(await processes.start(spec))
            async with contextlib.AsyncExitStack() as stack:
                if balancer == "haproxy":
                    behind = [address for name, address in addresses.items() if name != _BALANCER]
                    pid = await stack.enter_async_context(_haproxy(addresses[_BALANCER], behind, folder))
                    running.pids[_BALANCER].append(pid)
                await _answering(running.address)
                yield running


@contextlib.asynccontextmanager
async def through_the_plane(replicas: int, folder: Path) -> AsyncIterator[Running]:
    """The same with a proxy on every link, the clients' included."""
    system = Serving(replicas=replicas)
    system.prepare()
    async with Cluster.opened(system, folder, seed=1, plane="embedded") as cluster:
        pids = {
            _BALANCER: [cluster.pid(_BALANCER)],
            "replicas": [cluster.pid(name) for name in cluster.nodes if name != _BALANCER],
        }
        yield Running(cluster.entries[_BALANCER], {**pids, "plane": [cluster.pid(PLANE)]})


@contextlib.asynccontextmanager
async def _haproxy(listen: Address, behind: Sequence[Address], folder: Path) -> AsyncIterator[int]:
    servers = "\n".join(f"  server r{number} {host}:{port} check" for number, (host, port) in enumerate(behind))
    config = folder / "haproxy.cfg"
    config.write_text(
        "global\n  nbthread 1\n  maxconn 4096\n"
        "defaults\n  mode http\n  timeout connect 1s\n  timeout client 30s\n  timeout server 30s\n"
        "  option redispatch\n  retries 3\n  retry-on all-retryable-errors\n"
        f"frontend f\n  bind {listen[0]}:{listen[1]}\n  default_backend b\nbackend b\n  balance roundrobin\n"
        f"  option httpchk GET /healthz\n  http-reuse always\n{servers}\n"
    )
    process = await asyncio.create_subprocess_exec(_program("haproxy"), "-db", "-q", "-f", str(config))
    try:
        yield process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        await process.wait()


def exchanges(address: Address, count: int) -> list[Exchange]:
    """Prepared requests for digits, each with how a right answer to it begins."""
    chosen = random.Random(1).sample(artifacts.digits(artifacts.folder()), count)
    made = []
    for digit in chosen:
        body = msgspec.json.encode(PredictRequest(digit.pixels))
        head = f"POST /predict HTTP/1.1\r\nhost: {address[0]}:{address[1]}\r\ncontent-length: {len(body)}\r\n\r\n"
        made.append(Exchange(head.encode() + body, (msgspec.json.encode(digit.answer)[:-1] + b",",)))
    return made


async def measure(running: Running, options: argparse.Namespace) -> tuple[Snapshot, dict[str, float]]:
    """Load on a running system; what came of it, and the seconds of processor time of each part, per second of load."""
    load = Load(rate=options.rate, seconds=options.seconds, clients=options.connections, timeout_ms=options.timeout_ms)
    task = EngineTask(
        address=running.address, exchanges=exchanges(running.address, 1000), load=load, seed=1, depth=options.depth,
        warm_up_s=options.warm_up,
    )  # fmt: skip
    with Engine(task, processes=options.processes) as engine:
        before = running.cpu_s()
        engine.start()
        snapshot = await asyncio.to_thread(engine.wait)
        after = running.cpu_s()
    seconds = options.seconds + options.warm_up
    return snapshot, {"engine": snapshot.cpu_s / seconds, **{part: (after[part] - before[part]) / seconds for part in before}}


def line(name: str, snapshot: Snapshot, cpu: dict[str, float]) -> str:
    def ms(percentile: float) -> str:
        value = snapshot.latency.percentile_ns(percentile)
        return "-" if value is None else f"{value / 1e6:,.1f}"

    rate = snapshot.ok / snapshot.seconds
    parts = ", ".join(f"{part} {used:.2f}" for part, used in cpu.items())
    return (
        f"{name}: {rate:,.0f}/s done, p50 {ms(50)} p99 {ms(99)} max {ms(100)} ms from due; {snapshot.failed} failed,"
        f" {snapshot.wrong} wrong, {snapshot.unknown} unknown of {snapshot.due:,}{', ENGINE LATE' if snapshot.late else ''};"
        f" CPU: {parts} = {sum(cpu.values()) / max(rate, 1) * 1e6:.1f} us a request"
    )


async def main(options: argparse.Namespace) -> None:
    per_cpu: dict[str, list[float]] = {}
    print(f"{options.replicas} replicas, {options.connections} connections, depth {options.depth}")
    for _ in range(options.rounds):
        for balancer in options.balancers:
            with tempfile.TemporaryDirectory() as scratch:
                folder = Path(scratch)
                opened = (
                    through_the_plane(options.replicas, folder) if options.plane else direct(options.replicas, balancer, folder)
                )
                async with opened as running:
                    snapshot, cpu = await measure(running, options)
            print(line(balancer + (" through the plane" if options.plane else ""), snapshot, cpu), flush=True)
            for text, times in list(snapshot.errors.items())[:3]:
                print(f"  {times} x {text}")
            per_cpu.setdefault(balancer, []).append(snapshot.ok / snapshot.seconds / max(cpu[_BALANCER], 1e-9))
    for balancer, figures in per_cpu.items():
        print(f"{balancer}: {statistics.median(figures):,.0f} requests a CPU-second of the balancer", end="")
        peer = statistics.median(per_cpu["haproxy"]) if "haproxy" in per_cpu else None
        print(f", {statistics.median(figures) / peer:.2f} of HAProxy's" if peer else "")


async def _answering(address: Address) -> None:
    client, give_up_s = Client(address), time.monotonic() + 30
    body = msgspec.json.encode(PredictRequest(artifacts.digits(artifacts.folder())[0].pixels))
    while time.monotonic() < give_up_s:
        with contextlib.suppress(WireError):
            if (await client.request("POST", "/predict", body, timeout_s=5)).status == 200:
                client.close()
                return
        await asyncio.sleep(0.05)
    raise TimeoutError(f"nothing answers at {address[0]}:{address[1]}")


def _cpu_s(pid: int) -> float:
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise SystemExit(f"{name} is not installed: apt install {name}")
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=float, default=100_000)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--warm-up", type=float, default=2)
    parser.add_argument("--depth", type=int, default=16)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--replicas", type=int, default=10)
    parser.add_argument("--timeout-ms", type=float, default=5000)
    parser.add_argument("--balancers", nargs="+", choices=["ours", "haproxy"], default=["ours"])
    parser.add_argument("--plane", action="store_true")
    parser.add_argument("--rounds", type=int, default=1)
    asyncio.run(main(parser.parse_args()))
