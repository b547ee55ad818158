"""SlowCpu: a process runs at a fraction of its speed, as on a throttled processor or beside a noisy neighbour."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import ClassVar, Final

from harness.model.environment import Environment
from harness.model.errors import FaultError, UsageError
from harness.model.evidence import Evidence, Targets
from harness.model.fault import Aim, Fault
from harness.model.window_work import over_within, seen_on_each

_LEAST_SHARE: Final = 0.01

_PERIOD_S: Final = 0.05
"""With signals: the length of one cycle of running and stopping."""


@dataclass(frozen=True)
class SlowCpu(Fault):
    """The node gets `share` of one CPU: through a control group if allowed, else through alternating SIGSTOP and SIGCONT.

    Models hardware that works, but slowly: among the incidents of Gunawi et al., "Fail-Slow at Scale", FAST 2018, are
    processors that throttled to a fraction of their speed for lack of power or cooling. Such a node answers health checks.
    """

    share: float = 0.1

    aims_at: ClassVar[Aim] = "nodes"

    def __post_init__(self) -> None:
        if not _LEAST_SHARE <= self.share < 1:
            raise UsageError(f"SlowCpu(share={self.share:g}): must be a share of one CPU, from {_LEAST_SHARE:g} to below 1.")

    async def inject(self, environment: Environment, targets: Targets) -> Evidence:
        pids = {name: environment.processes.pid(name) for name in targets.nodes}
        slowed = [self._slow(environment, name, pid, targets.label) for name, pid in pids.items()]
        environment.background.begin(
            targets.label, lambda over: seen_on_each(self._watch(environment, targets.label, one, over) for one in slowed)
        )
        return Evidence(acted=None, text="")

    async def heal(self, environment: Environment, targets: Targets, injected: Evidence) -> Evidence:
        """Evidence is that each node wanted more than its share and was throttled, or that it was seen stopped."""
        try:
            seen = await environment.background.end(targets.label)
        finally:
            environment.processes.unlimit_cpu(targets.label)
        return seen or injected

    def _slow(self, environment: Environment, name: str, pid: int, label: str) -> _Slowed:
        began_ns, used_s = environment.monotonic_ns(), environment.processes.cpu_s(name)
        try:
            environment.processes.limit_cpu(name, label, self.share)
        except FaultError as error:
            return _Slowed(name, pid, began_ns, used_s, 0, why_signals=str(error))
        return _Slowed(name, pid, began_ns, used_s, environment.processes.throttled(name, pid), why_signals="")

    async def _watch(self, environment: Environment, label: str, slowed: _Slowed, over: asyncio.Event) -> tuple[bool, str]:
        if slowed.why_signals:
            times = await self._duty_cycle(environment, slowed.name, label, over)
            what = f"seen stopped {times}×, by signals (no control group: {slowed.why_signals})"
        else:
            await over.wait()
            times = environment.processes.throttled(slowed.name, slowed.pid) - slowed.throttled
            what = f"throttled {times}× by a control group" if times else "never wanted more than its share"
        return times > 0, f"{slowed.name} {slowed.usage(environment)}, {what}"

    async def _duty_cycle(self, environment: Environment, name: str, label: str, over: asyncio.Event) -> int:
        """Stop the node for most of each cycle. Returns how often it was still stopped at the end of a stop."""
        times = 0
        while not await over_within(over, _PERIOD_S * self.share):
            try:
                environment.processes.stop(name, label)
            except FaultError:  # another window holds it down
                continue
            try:
                await over_within(over, _PERIOD_S * (1 - self.share))
                times += environment.processes.state(name) == "stopped"
            finally:
                environment.processes.resume(name, label)
        return times


@dataclass(frozen=True)
class _Slowed:
    """One node at the time when it was slowed."""

    name: str
    pid: int
    began_ns: int
    used_s: float
    throttled: int
    why_signals: str
    """Why signals slow it instead of a control group; empty if a group does."""

    def usage(self, environment: Environment) -> str:
        """The share of a CPU that the process has used since, in words."""
        if not environment.processes.runs(self.name) or environment.processes.pid(self.name) != self.pid:
            return "slowed until it was killed"
        wall_s = (environment.monotonic_ns() - self.began_ns) / 1e9
        used_s = environment.processes.cpu_s(self.name) - self.used_s
        return f"used {used_s / wall_s:.0%} of a CPU ({used_s:.2f} s in {wall_s:.2f} s)"
