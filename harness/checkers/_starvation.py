"""How long a run's processes had to wait for a CPU, for checkers whose verdict depends on time.

A runnable process that waits for a CPU does nothing, through no fault of the system. So a system that was too late is judged by
the CPU time available to its processes, not by wall time.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import pandas as pd

from harness.model.history import History

STARVED_SHARE: Final = 0.5
"""A process that waited for more than this share of the time was starved."""

DISTURBED_SHARE: Final = 0.25
"""If a process of the run waited for a CPU for more than this share of the time, a missed SLO says little about the system."""

_WITHHELD: Final = "SlowCpu"
"""The fault that keeps its targets from running; waiting because of it does not count."""

_CLIENT_SIDE: Final = {"": "the machine", "client": "the load generator", "fault-plane": "the fault plane"}


class Starvation(NamedTuple):
    """The process that waited longest for a CPU in an interval, and how long; "" if nothing was recorded."""

    name: str
    waited_ns: int

    def __str__(self) -> str:
        return f"{self.name} waited {self.waited_ns / 1e9:.2f} s for a CPU"


def starvation(history: History, from_ns: int, to_ns: int) -> Starvation:
    """The process of the run, load generator and fault plane included, that waited longest between two times.

    The machine itself counts with the time that its hypervisor took (steal). Waiting is interpolated linearly between looks.
    """
    found = Starvation("", 0)
    usage = history.usage[history.usage["waited_ns"].notna()]
    for (node, _), looks in usage.sort_values("at_ns").groupby(["node", "pid"], sort=False):
        withheld = _withheld(history.windows, str(node), to_ns)
        waited_ns = _waited_ns(looks, from_ns, to_ns)
        waited_ns -= sum(_waited_ns(looks, max(from_ns, begin), min(to_ns, end)) for begin, end in withheld)
        if waited_ns > found.waited_ns:
            found = Starvation(_CLIENT_SIDE.get(str(node), str(node)), waited_ns)
    return found


def starved(history: History, from_ns: int, to_ns: int) -> str | None:
    """Say, as part of a sentence, that a process was starved between two times; None if none was."""
    most = starvation(history, from_ns, to_ns)
    if most.waited_ns <= STARVED_SHARE * (to_ns - from_ns):
        return None
    return f"the machine was too busy: {most} in {(to_ns - from_ns) / 1e9:.2f} s"


def disturbed(history: History, from_ns: int, to_ns: int) -> str | None:
    """Say, as part of a sentence, that other processes held up the run between two times; None if they did not.

    A system whose own processes compete for the CPU is slow by itself, so others must have used at least half as much CPU time
    as the longest wait.
    """
    most = starvation(history, from_ns, to_ns)
    ran_ns = {True: 0, False: 0}
    usage = history.usage[history.usage["ran_ns"].notna()]
    for (node, _), looks in usage.sort_values("at_ns").groupby(["node", "pid"], sort=False):
        main_ns = _grown_ns(looks, "ran_ns", from_ns, to_ns)
        of_all_threads = looks[looks["cpu_ns"].notna()]  # a process's `ran_ns` is that of its main thread alone
        all_ns = 0 if of_all_threads.empty else _grown_ns(of_all_threads, "cpu_ns", from_ns, to_ns)
        ran_ns[node == ""] += max(main_ns, all_ns)
    others_ns = ran_ns[True] - ran_ns[False]
    if most.waited_ns <= DISTURBED_SHARE * (to_ns - from_ns) or others_ns < most.waited_ns / 2:
        return None
    return (
        f"the machine was busy: others used its CPUs for {others_ns / 1e9:.1f} s, and {most} in {(to_ns - from_ns) / 1e9:.1f} s"
    )


def _waited_ns(looks: pd.DataFrame, from_ns: int, to_ns: int) -> int:
    return _grown_ns(looks, "waited_ns", from_ns, to_ns)


def _grown_ns(looks: pd.DataFrame, column: str, from_ns: int, to_ns: int) -> int:
    """The growth between two times of a sum that is known at other times."""
    if to_ns <= from_ns:
        return 0
    at, total = looks["at_ns"].to_numpy(dtype=np.int64), looks[column].to_numpy(dtype=np.int64)
    begin, end = np.interp([from_ns, to_ns], at, total)
    return int(end - begin)


def _withheld(windows: pd.DataFrame, node: str, to_ns: int) -> list[tuple[int, int]]:
    """When faults kept this node from running, as intervals that do not overlap; until `to_ns` if they were never healed."""
    hit = windows[(windows["fault"] == _WITHHELD).fillna(False) & windows["injected_ns"].notna()]
    ends_ns = hit["healed_ns"].fillna(to_ns).tolist()
    rows = zip(hit["targets"].tolist(), hit["injected_ns"].tolist(), ends_ns, strict=True)
    apart: list[tuple[int, int]] = []
    for begin, end in sorted((int(begin), int(end)) for targets, begin, end in rows if node in targets.split()):
        if apart and begin <= apart[-1][1]:
            apart[-1] = apart[-1][0], max(apart[-1][1], end)
        else:
            apart.append((begin, end))
    return apart
