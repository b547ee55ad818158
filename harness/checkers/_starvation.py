"""How long the machine kept a run's processes from running: what checkers ask whose verdict depends on time.

A process that is ready to run and waits for a CPU does nothing, through no fault of the system's. So a system that was too late
is judged by the time that its processes had, not by the time that went by.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import pandas as pd

from harness.model.history import History

STARVED_SHARE: Final = 0.5
"""A process that waited for more than this share of the time that it was given was starved."""

DISTURBED_SHARE: Final = 0.25
"""A missed SLO says little of the system if a process of the run waited for more than this share, and others had the CPU."""

_WITHHELD: Final = "SlowCpu"
"""The fault that keeps its targets from running, which is no fault of the machine's."""

_CLIENT_SIDE: Final = {"": "the machine", "client": "the load generator", "fault-plane": "the fault plane"}


class Starvation(NamedTuple):
    """The process that waited longest for a CPU in a stretch of time, and how long; "" if nothing was recorded."""

    name: str
    waited_ns: int

    def __str__(self) -> str:
        return f"{self.name} waited {self.waited_ns / 1e9:.2f} s for a CPU"


def starvation(history: History, from_ns: int, to_ns: int) -> Starvation:
    """Which of the run's processes, the load generator and the fault plane among them, waited longest between two times.

    Of the machine itself what counts is what its hypervisor took (steal). Between two looks the waiting is spread evenly.
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
    """That a process was starved between two times, as part of a sentence; None if none was."""
    most = starvation(history, from_ns, to_ns)
    if most.waited_ns <= STARVED_SHARE * (to_ns - from_ns):
        return None
    return f"the machine was too busy: {most} in {(to_ns - from_ns) / 1e9:.2f} s"


def disturbed(history: History, from_ns: int, to_ns: int) -> str | None:
    """That others on the machine held up the run between two times, as part of a sentence; None if they did not.

    A system whose own processes take the CPU from each other is slow by itself: others must have used at least half as much.
    """
    most = starvation(history, from_ns, to_ns)
    ran_ns = {True: 0, False: 0}
    usage = history.usage[history.usage["ran_ns"].notna()]
    for (node, _), looks in usage.sort_values("at_ns").groupby(["node", "pid"], sort=False):
        ran_ns[node == ""] += _grown_ns(looks, "ran_ns", from_ns, to_ns)
    others_ns = ran_ns[True] - ran_ns[False]
    if most.waited_ns <= DISTURBED_SHARE * (to_ns - from_ns) or others_ns < most.waited_ns / 2:
        return None
    return (
        f"the machine was busy: others used its CPUs for {others_ns / 1e9:.1f} s, and {most} in {(to_ns - from_ns) / 1e9:.1f} s"
    )


def _waited_ns(looks: pd.DataFrame, from_ns: int, to_ns: int) -> int:
    return _grown_ns(looks, "waited_ns", from_ns, to_ns)


def _grown_ns(looks: pd.DataFrame, column: str, from_ns: int, to_ns: int) -> int:
    """By how much a sum that is known at some times grew between two others."""
    if to_ns <= from_ns:
        return 0
    at, total = looks["at_ns"].to_numpy(dtype=np.int64), looks[column].to_numpy(dtype=np.int64)
    begin, end = np.interp([from_ns, to_ns], at, total)
    return int(end - begin)


def _withheld(windows: pd.DataFrame, node: str, to_ns: int) -> list[tuple[int, int]]:
    """When a fault kept this node from running: begin and end; it lasts until `to_ns` if it was never healed."""
    hit = windows[(windows["fault"] == _WITHHELD).fillna(False) & windows["injected_ns"].notna()]
    ends_ns = hit["healed_ns"].fillna(to_ns).tolist()
    rows = zip(hit["targets"].tolist(), hit["injected_ns"].tolist(), ends_ns, strict=True)
    return [(int(begin), int(end)) for targets, begin, end in rows if node in targets.split()]
