"""Serving end to end: engine -> balancer -> replicas, every answer verified; beside HAProxy in front of the same replicas.

`python benchmarks/serving.py --rate 100000 --depth 16 --seconds 60` asks for a rate and prints what came of it: done a second,
latency from the due time, and processor time of each part. `--balancers ours haproxy` takes turns, `--rounds` times each;
`--plane` puts every link through the embedded fault plane (ours only). `--cache 2000` has the replicas remember answers: then
what is measured is everything but the model.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import statistics
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

from balancers import BALANCER, REPLICAS, Running, direct, exchanges

from harness.cluster.cluster import Cluster
from harness.cluster.fault_plane import PLANE
from harness.model.load import Load
from systems.serving import Serving
from workloads.load.engine import Engine, EngineTask, Snapshot


@contextlib.asynccontextmanager
async def through_the_plane(replicas: int, folder: Path) -> AsyncIterator[Running]:
    """The same with a proxy on every link, the clients' included."""
    system = Serving(replicas=replicas)
    system.prepare()
    async with Cluster.opened(system, folder, seed=1, plane="embedded") as cluster:
        pids = {
            BALANCER: [cluster.processes.pid(BALANCER)],
            REPLICAS: [cluster.processes.pid(name) for name in cluster.nodes if name != BALANCER],
        }
        yield Running(cluster.links.entries[BALANCER], {**pids, "plane": [cluster.processes.pid(PLANE)]})


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
    cache = f", {options.cache} answers remembered" if options.cache else ""
    print(f"{options.replicas} replicas, {options.connections} connections, depth {options.depth}{cache}")
    for _ in range(options.rounds):
        for balancer in options.balancers:
            with tempfile.TemporaryDirectory() as scratch:
                folder = Path(scratch)
                opened = (
                    through_the_plane(options.replicas, folder)
                    if options.plane
                    else direct(options.replicas, balancer, folder, options.cache)
                )
                async with opened as running:
                    snapshot, cpu = await measure(running, options)
            print(line(balancer + (" through the plane" if options.plane else ""), snapshot, cpu), flush=True)
            for group in snapshot.failures[:3]:
                print(f"  {group.calls} x {group.reason}")
            per_cpu.setdefault(balancer, []).append(snapshot.ok / snapshot.seconds / max(cpu[BALANCER], 1e-9))
    for balancer, figures in per_cpu.items():
        print(f"{balancer}: {statistics.median(figures):,.0f} requests a CPU-second of the balancer", end="")
        peer = statistics.median(per_cpu["haproxy"]) if "haproxy" in per_cpu else None
        print(f", {statistics.median(figures) / peer:.2f} of HAProxy's" if peer else "")


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
    parser.add_argument(
        "--cache", type=int, default=0, help="answers that each replica remembers; 0: every one is a forward pass"
    )
    parser.add_argument("--plane", action="store_true")
    parser.add_argument("--rounds", type=int, default=1)
    given = parser.parse_args()
    if given.plane and given.cache:
        parser.error("--cache and --plane do not go together")
    asyncio.run(main(given))
