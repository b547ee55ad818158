"""Which processors the processes of a measurement run on."""

from __future__ import annotations

import os
from collections.abc import Iterable

import psutil


def pin(pids: Iterable[int], processors: Iterable[int]) -> None:
    """Keep all threads of these processes, and those that they start later, on these processors."""
    allowed = set(processors)
    for pid in pids:
        for thread in psutil.Process(pid).threads():
            os.sched_setaffinity(thread.id, allowed)
