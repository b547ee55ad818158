"""Kills replicas under steady load, behind our balancer and HAProxy: requests lost, latency right afterwards, CPU and memory.

`python benchmarks/failover.py` kills replicas one after another and starts each again; the balancers take turns, with the same
replicas, engine and rate. It prints how many requests were lost per SIGKILL, and the p99 of the second after it beside that of
the clean seconds before it. `--slow-and-crash` runs for one minute with a replica that is slow all the time and another one
that is killed in the middle, and prints the availability. A call belongs to the second in which it ended, known to within
0.1 s; latency counts from when a call was due. Latencies mean little if other programs use the processor; how much they used is
printed.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import signal
import statistics
import tempfile
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import footprint
import psutil
from balancers import REPLICAS, Direct, direct, exchanges

from harness.model.load import Load
from results.analysis.histogram import Histogram
from workloads.load.engine import Engine, EngineTask, Snapshot

_WARM_UP_S: Final = 2.0
_LOST_FOR_S: Final = 1.0
"""A killed replica is started again after this long."""
_WARM_AGAIN_S: Final = 2.0
"""Well after this a replica that answers again has its full share: its checks have passed, its slow start is over."""
_PERIOD_S: Final = 0.1
"""A slow replica stands still for a part of each period, like a container that has used up its CPU quota."""
_LONGEST_S: Final = 3600.0


@dataclass
class Figures:
    """What was measured of one balancer."""

    runs: list[Snapshot] = field(default_factory=list)
    clean: list[Snapshot] = field(default_factory=list)
    failover: list[Snapshot] = field(default_factory=list)
    returning: list[Snapshot] = field(default_factory=list)

    def extend(self, other: Figures) -> None:
        for own, more in zip(vars(self).values(), vars(other).values(), strict=True):
            own.extend(more)


def p99_ms(snapshots: Iterable[Snapshot]) -> float:
    """The p99 of all their calls together."""
    merged = Histogram()
    for snapshot in snapshots:
        merged.merge(snapshot.latency)
    return (merged.percentile_ns(99) or 0.0) / 1e6


async def kills(running: Direct, engine: Engine, options: argparse.Namespace, figures: Figures) -> None:
    """For one replica after another: clean seconds, a SIGKILL, the second after it, and its return."""
    for number in range(options.kills):
        name = running.replicas[number % len(running.replicas)]
        begun = engine.snapshot()
        await asyncio.sleep(options.clean_s)
        before = engine.snapshot()
        figures.clean.append(before.since(begun))
        await asyncio.gather(running.kill(name), asyncio.sleep(_LOST_FOR_S))
        after = engine.snapshot()
        figures.failover.append(after.since(before))
        await running.start(name)
        await asyncio.sleep(_WARM_AGAIN_S)
        figures.returning.append(engine.snapshot().since(after))


async def slow_and_crash(running: Direct, options: argparse.Namespace) -> None:
    """One replica is slow from beginning to end, another one is killed in the middle."""
    slow, killed, *_ = running.replicas
    async with _slowed(running, slow, options.slow_share):
        await asyncio.sleep(options.seconds / 2)
        await asyncio.gather(running.kill(killed), asyncio.sleep(_LOST_FOR_S))
        await running.start(killed)
        await asyncio.sleep(max(options.seconds / 2 - _LOST_FOR_S, 0))


@contextlib.asynccontextmanager
async def _slowed(running: Direct, name: str, share: float) -> AsyncIterator[None]:
    async def stop_and_go() -> None:
        pid = running.pid(name)
        while True:
            os.kill(pid, signal.SIGSTOP)
            try:
                await asyncio.sleep(_PERIOD_S * (1 - share))
            finally:
                os.kill(pid, signal.SIGCONT)
            await asyncio.sleep(_PERIOD_S * share)

    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(stop_and_go())
        yield
        task.cancel()


async def measure(balancer: str, options: argparse.Namespace) -> tuple[Figures, str]:
    """One round of one balancer: its figures, and its processor time and memory in words."""
    figures = Figures()
    with tempfile.TemporaryDirectory() as scratch:
        async with direct(options.replicas, balancer, Path(scratch)) as running:
            load = Load(rate=options.rate, seconds=_LONGEST_S, clients=options.connections, timeout_ms=options.timeout_ms)
            requests = exchanges(running.address, 1000)
            task = EngineTask(
                address=running.address, exchanges=requests, load=load, seed=1, depth=options.depth, warm_up_s=_WARM_UP_S
            )
            with Engine(task) as engine:
                engine.start()
                await asyncio.sleep(_WARM_UP_S + 0.1)
                begun, before, busy_s = engine.snapshot(), running.cpu_s(), _busy_s()
                if options.slow_and_crash:
                    await slow_and_crash(running, options)
                else:
                    await kills(running, engine, options, figures)
                whole = engine.snapshot().since(begun)
                used = {"engine": whole.cpu_s} | {part: used_s - before[part] for part, used_s in running.cpu_s().items()}
                used["others"] = max(_busy_s() - busy_s - sum(used.values()), 0.0)
                memory = f"engine's peak {footprint.peak_mib(engine.pids):.0f} MiB"
                own, shared = footprint.own_and_shared_mib(running.pids[REPLICAS])
                figures.runs.append(await asyncio.to_thread(engine.stop))
    cpu = ", ".join(f"{part} {used_s:.1f}" for part, used_s in used.items())
    return figures, f"CPU-seconds of {whole.seconds:.0f}: {cpu}; memory: {memory}, a replica USS {own:.0f} PSS {shared:.0f} MiB"


def lost(runs: Iterable[Snapshot]) -> tuple[str, int]:
    """How the calls ended that did not succeed, in words, and how many they were."""
    runs = list(runs)
    failed, wrong, unknown = (sum(getattr(run, name) for run in runs) for name in ("failed", "wrong", "unknown"))
    late = ", ENGINE LATE" if any(run.late for run in runs) else ""
    return (
        f"{failed} failed, {wrong} wrong, {unknown} unknown of {sum(run.due for run in runs):,}{late}",
        failed + wrong + unknown,
    )


def line(figures: Figures, options: argparse.Namespace) -> str:
    text, count = lost(figures.runs)
    if options.slow_and_crash:
        availability = f"{sum(run.ok for run in figures.runs) / sum(run.due for run in figures.runs):.4%}"
        enough = all(run.latency.enough_for(99.99) for run in figures.runs)
        claim = "" if enough else " (too few calls to claim 99.99%)"
        return f"availability {availability}{claim}, {text}; p99 {p99_ms(figures.runs):.1f} ms"
    ratios = [p99_ms([after]) / p99_ms([before]) for before, after in zip(figures.clean, figures.failover, strict=True)]
    clean, failover, returning = (p99_ms(windows) for windows in (figures.clean, figures.failover, figures.returning))
    each = " ".join(f"{ratio:.2f}" for ratio in ratios)
    return (
        f"{count / len(ratios):g} lost per SIGKILL ({text}); p99 clean {clean:.1f}, failover second {failover:.1f}, return"
        f" {returning:.1f} ms; failover / clean before it {statistics.median(ratios):.2f} (each {each})"
    )


def _busy_s() -> float:
    """Processor time of everything on this machine; what other programs use disturbs the latencies."""
    times = psutil.cpu_times()
    return float(times.user + times.nice + times.system + times.irq + times.softirq)


async def main(options: argparse.Namespace) -> None:
    bare, imported = await footprint.bare_node_mib()
    print(f"{options.replicas} replicas, {options.rate:,.0f}/s on {options.connections} connections, depth {options.depth}")
    print(f"memory: a process that imported torch RSS {imported:.0f} MiB, an idle node forked from it USS {bare:.0f} MiB")
    totals = {balancer: Figures() for balancer in options.balancers}
    for _ in range(options.rounds):
        for balancer, total in totals.items():
            figures, costs = await measure(balancer, options)
            print(f"{balancer}: {line(figures, options)}\n  {costs}", flush=True)
            for group in figures.runs[0].failures:
                print(f"  {group.calls} x {group.reason}")
            total.extend(figures)
    if options.rounds > 1:
        for balancer, total in totals.items():
            print(f"{balancer}, all rounds: {line(total, options)}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=float, default=5000)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--depth", type=int, default=1)
    parser.add_argument("--replicas", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--kills", type=int, default=3, help="replicas killed in a round")
    parser.add_argument("--clean-s", type=float, default=3, help="seconds before each SIGKILL")
    parser.add_argument("--timeout-ms", type=float, default=5000)
    parser.add_argument("--balancers", nargs="+", choices=["ours", "haproxy"], default=["ours", "haproxy"])
    parser.add_argument("--slow-and-crash", action="store_true")
    parser.add_argument("--seconds", type=float, default=60, help="with --slow-and-crash")
    parser.add_argument(
        "--slow-share", type=float, default=0.5, help="with --slow-and-crash: how much of the time the slow one runs"
    )
    asyncio.run(main(parser.parse_args()))
