"""KillAt: a process dies at a certain point of its work, found by its log."""

from __future__ import annotations

import asyncio
import re
import signal
from contextlib import aclosing
from dataclasses import dataclass
from typing import ClassVar

from faults.kill import ended, started_again
from harness.model.environment import Environment
from harness.model.errors import FaultError, UsageError
from harness.model.evidence import Evidence, Targets
from harness.model.fault import Aim, Fault
from harness.model.window_work import all_done, unless_over


@dataclass(frozen=True)
class KillAt(Fault):
    """SIGKILL at the `occurrence`-th line of the node's log that matches `event`, from the window's beginning on.

    `event` is a regular expression. The node restarts with its data when the window ends. Crashes do harm at points that a kill
    at a random time seldom hits, and logs reveal these points (Lu et al., "CrashTuner: Detecting Crash-Recovery Bugs in Cloud
    Systems via Meta-Info Analysis", SOSP 2019). The signal follows the line within a fraction of a millisecond.
    """

    event: str
    occurrence: int = 1

    aims_at: ClassVar[Aim] = "nodes"

    def __post_init__(self) -> None:
        try:
            re.compile(self.event)
        except re.error as error:
            raise UsageError(f"KillAt(event={self.event!r}): not a regular expression: {error}.") from error
        if self.occurrence < 1:
            raise UsageError(f"KillAt(occurrence={self.occurrence}): must be at least 1.")

    async def inject(self, environment: Environment, targets: Targets) -> Evidence:
        offsets = {name: environment.processes.log_bytes(name) for name in targets.nodes}
        environment.background.begin(targets.label, lambda over: self._kill_all(environment, targets, offsets, over))
        return Evidence(acted=None, text="")

    async def heal(self, environment: Environment, targets: Targets, injected: Evidence) -> Evidence:
        """Evidence is the line, and how each process ended. If the line never came, the fault did not act."""
        try:
            seen = await environment.background.end(targets.label)
        finally:
            again = await started_again(environment, targets)
        return Evidence(acted=seen.acted, text="; ".join([seen.text, *again])) if seen else injected

    async def _kill_all(
        self, environment: Environment, targets: Targets, offsets: dict[str, int], over: asyncio.Event
    ) -> Evidence:
        killing = (self._kill(environment, name, targets.label, offsets[name], over) for name in targets.nodes)
        seen = await all_done(killing)
        return Evidence(acted=all(one.acted for one in seen), text="; ".join(one.text for one in seen))

    async def _kill(self, environment: Environment, name: str, label: str, offset: int, over: asyncio.Event) -> Evidence:
        found: list[str] = []
        try:
            await unless_over(over, self._look(environment, name, offset, found))
            if len(found) < self.occurrence:
                text = f"{name} logged {self.event!r} {len(found)} times, not {self.occurrence}"
                return Evidence(acted=False, text=text)
            pid = environment.processes.pid(name)
            code = await environment.processes.kill(name, label)
        except (FaultError, OSError) as error:
            return Evidence(acted=False, text=f"{name} could not be killed: {error}")
        text = f"{ended({name: pid}, [code])} at {found[-1]!r}"
        return Evidence(acted=code == -signal.SIGKILL, text=text)

    async def _look(self, environment: Environment, name: str, offset: int, found: list[str]) -> None:
        """Collect the lines that match the event, until there are enough."""
        pattern = re.compile(self.event)
        async with aclosing(environment.processes.log_lines(name, offset)) as lines:
            async for line in lines:
                if pattern.search(line):
                    found.append(line)
                    if len(found) == self.occurrence:
                        return
