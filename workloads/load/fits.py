"""Whether a load fits into this machine, by an estimate that the error message gives."""

from __future__ import annotations

import os
import resource
from pathlib import Path
from typing import Final

import psutil

from harness.model.errors import UsageError
from harness.model.load import Load
from workloads.load.arrivals import expected
from workloads.load.engine.task import EngineTask

_WAITING_CALL_BYTES: Final = 10
"""The memory that a call takes in the engine while it is due and not sent: its due time, 8 bytes, in blocks."""
_RECORDED_CALL_BYTES: Final = 2_000
"""The memory that a drill's call takes: the call, its row in the log, and again when the history is read."""
_PROCESS_BYTES: Final = 60_000_000
"""The memory that a process of the engine takes before it does anything."""
_SHARE: Final = 0.8
"""How much of the free memory a load may take."""
_OWN_DESCRIPTORS: Final = 32
_CGROUP: Final = Path("/sys/fs/cgroup")


def check_engine(task: EngineTask, processes: int) -> None:
    """Raise `UsageError` if the engine's load does not fit into this machine: memory, open files and ports."""
    calls = expected(task.load) + task.load.rate * task.warm_up_s
    requests = sum(len(exchange.request) for exchange in task.exchanges)
    _check_memory(
        calls * _WAITING_CALL_BYTES + processes * (_PROCESS_BYTES + 3 * requests),
        f"{calls:,.0f} calls that all wait if the server does not answer, {_WAITING_CALL_BYTES} bytes each, and"
        f" {processes:,} {'process' if processes == 1 else 'processes'} of {_PROCESS_BYTES / 1e6:.0f} MB",
        "Lower the rate, the seconds or the processes.",
    )
    each = -(-task.load.clients // processes)
    descriptors = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if descriptors != resource.RLIM_INFINITY and each + _OWN_DESCRIPTORS > descriptors:
        raise UsageError(
            f"{task.load.clients:,} connections are {each:,} per process, which may have at most {descriptors:,} open files"
            " (`ulimit -Hn`). Use fewer connections, or more processes."
        )
    if (ports := _ports()) < task.load.clients:
        raise UsageError(
            f"{task.load.clients:,} connections to one server need as many local ports, and there are {ports:,}"
            " (net.ipv4.ip_local_port_range). Use fewer connections."
        )


def check_drill(load: Load) -> None:
    """Raise `UsageError` if a drill's load, every call of which is recorded, does not fit into this machine's memory."""
    calls = expected(load)
    what = f"{calls:,.0f} calls, each of them recorded, about {_RECORDED_CALL_BYTES / 1e3:g} KB each"
    _check_memory(calls * _RECORDED_CALL_BYTES, what, "Lower load.rate or load.seconds.")


def free_bytes() -> int:
    """The memory that may still be used: the machine's, or that of this process's control group if it allows less."""
    free = int(psutil.virtual_memory().available)
    try:
        limit, used = ((_CGROUP / name).read_text().strip() for name in ("memory.max", "memory.current"))
    except OSError:  # no control groups of version 2, or their root: no limit
        return free
    return free if limit == "max" else min(free, max(int(limit) - int(used), 0))


def _check_memory(needed: float, what: str, advice: str) -> None:
    free = free_bytes()
    if needed > _SHARE * free:
        raise UsageError(f"This load may take {needed / 1e9:,.1f} GB, and {free / 1e9:,.1f} GB are free: {what}. {advice}")


def _ports() -> int:
    try:
        low, high = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()
    except OSError:
        return os.sysconf("SC_OPEN_MAX")
    return int(high) - int(low) + 1
