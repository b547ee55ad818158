"""Serving end to end: engine -> balancer -> replicas, with every answer verified; also with HAProxy in place of our balancer.

`python benchmarks/serving.py --rate 100000 --depth 16 --seconds 60` asks for a rate and prints what it got: requests done per
second, latency from the due time, and processor time of each part. `--balancers ours haproxy` measures both in turn, `--rounds`
times each; `--plane` puts every link through the embedded fault plane (only with ours). `--cache 2000` lets the replicas
remember answers, so that everything but the model is measured. `--disturb 0.33` measures again while another process takes a
third of one core. `--profile` prints where each microsecond went. `--overload 2` looks for the highest rate that is done, and
then asks for twice that.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import statistics
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

from balancers import BALANCER, REPLICAS, Running, direct, exchanges
from disturbance import disturbed
from processors import pin
from profiling import MissingTool, profile, table

from harness.cluster.cluster import Cluster
from harness.cluster.fault_plane import PLANE
from harness.model.load import Load
from results.analysis.histogram import Histogram
from systems.serving import Serving
from workloads.load.engine import Engine, EngineTask, Snapshot


@contextlib.asynccontextmanager
async def through_the_plane(replicas: int, folder: Path) -> AsyncIterator[Running]:
    """Ours, with a proxy on every link, including the clients'."""
    system = Serving(replicas=replicas)
    system.prepare()
    async with Cluster.opened(system, folder, seed=1, plane="embedded") as cluster:
        pids = {
            BALANCER: [cluster.processes.pid(BALANCER)],
            REPLICAS: [cluster.processes.pid(name) for name in cluster.nodes if name != BALANCER],
        }
        yield Running(cluster.links.entries[BALANCER], {**pids, "plane": [cluster.processes.pid(PLANE)]})


Shares = dict[str, dict[str, float]]


async def measure(
    running: Running, options: argparse.Namespace, rate: float | None = None
) -> tuple[Snapshot, dict[str, float], Shares]:
    """Load a running system, and return how that went, and the processor seconds of each part per second of load.

    The shares of the stages in these seconds are empty unless `--profile` asks for them.
    """
    load = Load(rate=rate or options.rate, seconds=options.seconds, clients=options.connections, timeout_ms=options.timeout_ms)
    task = EngineTask(
        address=running.address, exchanges=exchanges(running.address, 1000), load=load, seed=1, depth=options.depth,
        warm_up_s=options.warm_up,
    )  # fmt: skip
    shares: Shares = {}
    with Engine(task, processes=options.processes) as engine:
        if options.overload:
            apart(engine.pids, [pid for pids in running.pids.values() for pid in pids])
        before = running.cpu_s()
        engine.start()
        if options.profile:
            await asyncio.sleep(options.warm_up)
            shares = await asyncio.to_thread(profile, {"engine": engine.pids, **running.pids}, options.seconds * 0.8)
        snapshot = await asyncio.to_thread(engine.wait)
        after = running.cpu_s()
    seconds = options.seconds + options.warm_up
    cpu = {"engine": snapshot.cpu_s / seconds, **{part: (after[part] - before[part]) / seconds for part in before}}
    return snapshot, cpu, shares


def line(name: str, snapshot: Snapshot, cpu: dict[str, float]) -> str:
    def ms(percentile: float, of: Histogram = snapshot.latency) -> str:
        value = of.percentile_ns(percentile)
        return "-" if value is None else f"{value / 1e6:,.1f}"

    rate = snapshot.ok / snapshot.seconds
    parts = ", ".join(f"{part} {used:.2f}" for part, used in cpu.items())
    return (
        f"{name}: {rate:,.0f}/s done, p50 {ms(50)} p99 {ms(99)} max {ms(100)} ms from due,"
        f" p50 {ms(50, snapshot.service)} p99 {ms(99, snapshot.service)} ms from sending; {snapshot.failed} failed,"
        f" {snapshot.wrong} wrong, {snapshot.unknown} unknown of {snapshot.due:,}{', ENGINE LATE' if snapshot.late else ''};"
        f" CPU: {parts} = {sum(cpu.values()) / max(rate, 1) * 1e6:.1f} us a request"
    )


def costs(snapshot: Snapshot, cpu: dict[str, float]) -> dict[str, float]:
    """Microseconds of processor time per request, for each part."""
    return {part: used / max(snapshot.ok / snapshot.seconds, 1) * 1e6 for part, used in cpu.items()}


def cores(us_a_request: dict[str, float]) -> str:
    """How many cores a million requests a second would need, if each cost as much as here, in words."""
    parts = ", ".join(f"{part} {us:.1f}" for part, us in us_a_request.items())
    return f"1,000,000/s at this cost: {sum(us_a_request.values()):.1f} cores ({parts})"


def apart(engine: list[int], system: list[int]) -> None:
    """Give the load engine a core that the system does not use. Otherwise refused requests would also cost the system the time
    that the engine needs to send them and to read the refusals, which real clients spend on machines of their own."""
    first, *others = sorted(os.sched_getaffinity(0))
    if others:
        pin(system, others)
        pin(engine, [first])


async def overload(running: Running, options: argparse.Namespace) -> None:
    """Raise the rate to the highest one that is done, then ask for a multiple of it.

    A rate counts as done if its p99 is below a second and nearly all requests were answered. If not even the first one is, it
    is halved until one is.
    """
    capacity, rate = 0.0, options.rate
    while True:
        snapshot, cpu, _ = await measure(running, options, rate)
        print(line(f"asked for {rate:,.0f}/s", snapshot, cpu), flush=True)
        done, p99_ns = snapshot.ok / snapshot.seconds, snapshot.latency.percentile_ns(99)
        if p99_ns is None or p99_ns > 1e9 or snapshot.ok < 0.99 * snapshot.due:
            if capacity:
                break
            rate /= 2
        else:
            capacity, rate = max(capacity, done), rate * 1.1
    snapshot, cpu, _ = await measure(running, options, capacity * options.overload)
    print(line(f"overload, {options.overload:g}x {capacity:,.0f}/s", snapshot, cpu))
    for group in snapshot.failures[:3]:
        print(f"  {group.calls} x {group.reason}")
    print(f"goodput under overload: {snapshot.ok / snapshot.seconds / max(capacity, 1):.1%} of capacity")
    if snapshot.sent < 0.99 * snapshot.due:
        print(
            f"{1 - snapshot.sent / snapshot.due:.0%} of the calls never left, so this was no {options.overload:g}x: they waited"
            " in the engine for a free connection. Give more --connections or --depth."
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
                    if options.overload:
                        await overload(running, options)
                        continue
                    for share in [0.0] if options.disturb == 0 else [0.0, options.disturb]:
                        with disturbed(share):
                            snapshot, cpu, shares = await measure(running, options)
                        beside = f", {share:g} of a core taken" if share else ""
                        print(
                            line(balancer + (" through the plane" if options.plane else "") + beside, snapshot, cpu), flush=True
                        )
                        for group in snapshot.failures[:3]:
                            print(f"  {group.calls} x {group.reason}")
                        print(f"  {cores(costs(snapshot, cpu))}")
                        if shares:
                            print(table(shares, costs(snapshot, cpu)))
                        per_cpu.setdefault(balancer + beside, []).append(
                            snapshot.ok / snapshot.seconds / max(cpu[BALANCER], 1e-9)
                        )
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
        "--cache", type=int, default=0, help="how many answers each replica remembers; with 0, each takes a forward pass"
    )
    parser.add_argument("--disturb", type=float, default=0.0, help="measure again while this share of one core is taken")
    parser.add_argument(
        "--overload",
        type=float,
        default=0.0,
        help="raise the rate, from --rate on, as long as it is done; then ask for this many times that",
    )
    parser.add_argument("--profile", action="store_true", help="microseconds a request by stage; needs perf and py-spy")
    parser.add_argument("--plane", action="store_true")
    parser.add_argument("--rounds", type=int, default=1)
    given = parser.parse_args()
    if given.plane and given.cache:
        parser.error("--cache and --plane do not go together")
    try:
        asyncio.run(main(given))
    except MissingTool as missing:
        parser.error(str(missing))
