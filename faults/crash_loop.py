"""CrashLoop: a process dies again and again, as under a supervisor that keeps restarting it."""

from __future__ import annotations

import asyncio
import math
import signal
from dataclasses import dataclass
from typing import ClassVar

from faults.kill import started_again
from harness.model.environment import Environment
from harness.model.errors import FaultError, NodeDown, UsageError
from harness.model.evidence import Evidence, Targets
from harness.model.fault import Aim, Fault
from harness.model.window_work import all_done, over_within


@dataclass(frozen=True)
class CrashLoop(Fault):
    """SIGKILL every `every_s` seconds, or as soon after that as the node answers; restarted at once, with its data.

    Kubernetes shows this as CrashLoopBackOff. The cause may be a request or a record that kills every process that handles it
    ("query of death"; Beyer et al., "Site Reliability Engineering", 2016, chapter 22), and each return attracts traffic that is
    then lost.
    """

    every_s: float = 0.5

    aims_at: ClassVar[Aim] = "nodes"

    def __post_init__(self) -> None:
        if not (math.isfinite(self.every_s) and self.every_s > 0):
            raise UsageError(f"CrashLoop(every_s={self.every_s:g}): must be a number of seconds above 0.")

    async def inject(self, environment: Environment, targets: Targets) -> Evidence:
        for name in targets.nodes:
            environment.processes.pid(name)
        environment.background.begin(targets.label, lambda over: self._loops(environment, targets, over))
        return Evidence(acted=None, text="")

    async def heal(self, environment: Environment, targets: Targets, injected: Evidence) -> Evidence:
        """Evidence is that each target was killed more than once, and that SIGKILL ended every killed process."""
        try:
            seen = await environment.background.end(targets.label)
        finally:
            await started_again(environment, targets)  # if the loop was cancelled between kill and restart
        return seen or injected

    async def _loops(self, environment: Environment, targets: Targets, over: asyncio.Event) -> Evidence:
        loops = await all_done(self._loop(environment, name, targets.label, over) for name in targets.nodes)
        each = zip(targets.nodes, loops, strict=True)
        text = "; ".join(f"{name} killed {kills}×, started again {starts}×{last}" for name, (kills, starts, last) in each)
        return Evidence(acted=all(kills > 1 for kills, _, _ in loops), text=text)

    async def _loop(self, environment: Environment, name: str, label: str, over: asyncio.Event) -> tuple[int, int, str]:
        """How often the node was killed and restarted, and what ended the loop early, if anything."""
        loop = asyncio.get_running_loop()
        kills, starts, due_s = 0, 0, loop.time()
        while not await over_within(over, due_s - loop.time()):
            due_s = loop.time() + self.every_s
            try:
                kills += await environment.processes.kill(name, label) == -signal.SIGKILL
                starts += await environment.processes.restart(name, label) is not None
            except FaultError:  # another window holds it down and will restart it
                continue
            except NodeDown as error:  # the system's failure, which the check `nodes_stayed_up` finds
                return kills, starts, f", then: {error}"
        return kills, starts, ""
