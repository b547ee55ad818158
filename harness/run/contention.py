"""How much of this machine's processors other processes took while a run went on."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import Final

import psutil

MAX_OTHERS: Final = 0.25
"""If others took a larger share than this, a run's latencies and rates say nothing about the system."""


@dataclass(frozen=True, kw_only=True)
class CpuReading:
    """Processor time until now, in seconds, of the processors that this process may use."""

    at_s: float
    busy_s: float
    own_s: float
    """What this process took, and those of its descendants that have ended and were waited for, as a run's processes have."""
    processors: int


def read_cpu() -> CpuReading:
    """Read it now."""
    usable = os.sched_getaffinity(0)
    times = [one for number, one in enumerate(psutil.cpu_times(percpu=True)) if number in usable]
    own = os.times()
    return CpuReading(
        at_s=time.monotonic(),
        busy_s=sum(sum(one) - one.idle - one.iowait for one in times),
        own_s=own.user + own.system + own.children_user + own.children_system,
        processors=len(times),
    )


def share_of_others(before: CpuReading, after: CpuReading) -> float:
    """The share of all processor time between two readings that other processes, or other virtual machines, took: 0 to 1."""
    there_was_s = (after.at_s - before.at_s) * after.processors
    others_s = (after.busy_s - before.busy_s) - (after.own_s - before.own_s)
    return min(max(others_s / there_was_s, 0.0), 1.0) if there_was_s > 0 else 0.0
