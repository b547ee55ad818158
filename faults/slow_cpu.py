"""SlowCpu: a process goes on, at a fraction of its speed, as on a processor that throttles or is shared with a neighbour."""

from __future__ import annotations

import asyncio
import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

import psutil

from harness.cluster.background import over_within, seen_on_each
from harness.cluster.cgroups import CpuGroup
from harness.model.errors import FaultError, UsageError
from harness.model.fault import Aim, Evidence, Fault, Targets

if TYPE_CHECKING:
    from harness.cluster.cluster import Cluster

_LEAST_SHARE: Final = 0.01

_PERIOD_S: Final = 0.05
"""Where signals do it: how long stopping and running take together."""


@dataclass(frozen=True)
class SlowCpu(Fault):
    """The node gets `share` of one CPU: by a control group where that is allowed, else by SIGSTOP and SIGCONT in turn.

    Hardware that works, slowly: processors that throttled to a fraction of their speed for lack of power or cooling are
    among the incidents of Gunawi et al., "Fail-Slow at Scale", FAST 2018. Such a node answers health checks.
    """

    share: float = 0.1

    aims_at: ClassVar[Aim] = "nodes"

    def __post_init__(self) -> None:
        if not _LEAST_SHARE <= self.share < 1:
            raise UsageError(f"SlowCpu(share={self.share:g}): a share of one CPU, from {_LEAST_SHARE:g} to below 1.")

    async def inject(self, cluster: Cluster, targets: Targets) -> Evidence:
        pids = {name: cluster.pid(name) for name in targets.nodes}
        slowed = [self._slow(cluster, name, pid, targets.label) for name, pid in pids.items()]
        cluster.background.begin(
            targets.label, lambda over: seen_on_each(self._watch(cluster, targets.label, one, over) for one in slowed)
        )
        return Evidence(acted=None, text="")

    async def heal(self, cluster: Cluster, targets: Targets, injected: Evidence) -> Evidence:
        """Evidence is that each node wanted more than its share and had to wait, or that it was seen to stand still."""
        try:
            seen = await cluster.background.end(targets.label)
        finally:
            try:
                cluster.cpu_quotas.release(targets.label)
            except OSError as error:
                raise FaultError(f"the control group could not be removed: {error}") from error
        return seen or injected

    def _slow(self, cluster: Cluster, name: str, pid: int, label: str) -> _Slowed:
        began_s, used_s = time.monotonic(), _cpu_s(pid)
        try:
            group = cluster.cpu_quotas.take(pid, label, self.share)
        except OSError as error:
            return _Slowed(name, pid, began_s, used_s, None, 0, str(error.strerror))
        return _Slowed(name, pid, began_s, used_s, group, group.throttled(), "")

    async def _watch(self, cluster: Cluster, label: str, slowed: _Slowed, over: asyncio.Event) -> tuple[bool, str]:
        if slowed.group is None:
            times = await self._duty_cycle(cluster, slowed.name, label, over)
            what = f"seen stopped {times}×, by signals (no control group: {slowed.why_not})"
        else:
            await over.wait()
            times = slowed.group.throttled() - slowed.throttled
            what = f"throttled {times}× by a control group" if times else "never wanted more than its share"
        return times > 0, f"{slowed.name} {slowed.usage(cluster)}, {what}"

    async def _duty_cycle(self, cluster: Cluster, name: str, label: str, over: asyncio.Event) -> int:
        """Stop the node for most of each period; returns how often it was seen to stand still to the end of a stop."""
        times = 0
        while not await over_within(over, _PERIOD_S * self.share):
            try:
                cluster.stop(name, label)
            except FaultError:  # another window has it down
                continue
            try:
                await over_within(over, _PERIOD_S * (1 - self.share))
                times += cluster.process_state(name) == "stopped"
            finally:
                cluster.resume(name, label)
        return times


@dataclass(frozen=True)
class _Slowed:
    """One node as it was when it was slowed."""

    name: str
    pid: int
    began_s: float
    used_s: float
    group: CpuGroup | None
    throttled: int
    why_not: str
    """Where there is no group."""

    def usage(self, cluster: Cluster) -> str:
        """How much of a CPU the process has used since."""
        if not cluster.runs(self.name) or cluster.pid(self.name) != self.pid:
            return "slowed until it was killed"
        wall_s, used_s = time.monotonic() - self.began_s, _cpu_s(self.pid) - self.used_s
        return f"used {used_s / wall_s:.0%} of a CPU ({used_s:.2f} s in {wall_s:.2f} s)"


def _cpu_s(pid: int) -> float:
    """CPU time of a process since its start, as the kernel counts it; NaN where it has just ended."""
    try:
        times = psutil.Process(pid).cpu_times()
    except psutil.NoSuchProcess:
        return math.nan
    return times.user + times.system
