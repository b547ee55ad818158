"""Measures how many seeds, and how much CPU time, simulation takes to find a bug."""

from __future__ import annotations

import asyncio
import itertools

from harness.run import catalog
from harness.simulation.seed_run import why_not
from harness.simulation.sweep import sweep
from harness.simulation.worker import Reply, Task
from results.record.detection import Simulated


def search(drill: str, bug: str | None, limit_s: float) -> Simulated:
    """Simulate a drill for `limit_s`; with a bug, only until a seed fails."""
    settings = (f"system.bug={bug}",) if bug else ()
    lacks = why_not(catalog.find_drill(drill, settings).drill)
    if lacks is not None:
        return Simulated(seeds=0, cpu_s=0.0, failed=0, lacks=lacks)
    seeds, cpu_s, failed, unknown = 0, 0.0, 0, 0
    found: tuple[str, ...] = ()

    def count(task: Task, reply: Reply) -> bool:
        nonlocal seeds, cpu_s, failed, unknown, found
        seeds, cpu_s = seeds + 1, cpu_s + reply.cpu_s
        outcome = reply.outcome
        if outcome is not None and outcome.found:
            failed, found = failed + 1, found or outcome.found
            if bug is not None:
                return False
        elif outcome is None or outcome.verdict == "unknown":
            unknown += 1
        return cpu_s < limit_s

    tasks = (Task(drill=drill, settings=settings, seed=seed) for seed in itertools.count(1))
    asyncio.run(sweep(tasks, 1, count))
    return Simulated(seeds=seeds, cpu_s=round(cpu_s, 2), failed=failed, unknown=unknown, found=found)
