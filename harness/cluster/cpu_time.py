"""The CPU time of processes with all processes below them, by one look at every process of the machine (proc(5))."""

from __future__ import annotations

import contextlib
import math
import os
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Final

TICK_NS: Final = 10**9 // os.sysconf("SC_CLK_TCK")
_PARENT, _TIMES = 1, slice(11, 15)
"""Fields of `/proc/PID/stat` after the program's name. The times are its own and those of the children it has waited for."""


def cpu_ns_of(pids: Iterable[int]) -> dict[int, int]:
    """How long each process ran so far, with all processes below it, also with those that have ended and were waited for.

    A process that has itself ended is left out.
    """
    used_ns: dict[int, int] = {}
    below: dict[int, list[int]] = defaultdict(list)
    for pid in [int(name) for name in os.listdir("/proc") if name.isdigit()]:  # noqa: PTH208 - the names are all that matters
        with contextlib.suppress(OSError):  # it ended meanwhile
            stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            used_ns[pid] = sum(map(int, stat[_TIMES])) * TICK_NS
            below[int(stat[_PARENT])].append(pid)

    def with_below(pid: int) -> int:
        return used_ns[pid] + sum(map(with_below, below[pid]))

    return {pid: with_below(pid) for pid in pids if pid in used_ns}


def cpu_s_of(pid: int) -> float:
    """How long one process ran so far, as `cpu_ns_of` counts; NaN if it has ended."""
    return cpu_ns_of([pid]).get(pid, math.nan) / 1e9
