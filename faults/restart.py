"""Restart: a process is told to end, ends in its own time, and is started again when the window closes."""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass
from typing import ClassVar

from faults.kill import ended, started_again
from harness.model.environment import Environment
from harness.model.errors import UsageError
from harness.model.evidence import Evidence, Targets
from harness.model.fault import Aim, Fault


@dataclass(frozen=True)
class Restart(Fault):
    """SIGTERM, and SIGKILL if it has not ended `grace_s` later; started again with its data when the window ends.

    What a deployment or a drained machine does to each node. About 70% of Google's outages came from changes to a live
    system (Beyer et al., "Site Reliability Engineering", 2016, chapter 1), and a restart is part of most changes.
    """

    grace_s: float = 5.0

    aims_at: ClassVar[Aim] = "nodes"

    def __post_init__(self) -> None:
        if not (math.isfinite(self.grace_s) and self.grace_s > 0):
            raise UsageError(f"Restart(grace_s={self.grace_s:g}): must be a number of seconds above 0.")

    async def inject(self, environment: Environment, targets: Targets) -> Evidence:
        """Evidence is how each process ended. One that had to be killed was restarted too, and it says so."""
        pids = {name: environment.processes.pid(name) for name in targets.nodes}
        ending = (environment.processes.terminate(name, targets.label, self.grace_s) for name in targets.nodes)
        codes = await asyncio.gather(*ending)
        return Evidence(acted=True, text=ended(pids, codes))

    async def heal(self, environment: Environment, targets: Targets, injected: Evidence) -> Evidence:
        """All at once: a node may wait for others before it answers."""
        again = await started_again(environment, targets)
        return Evidence(acted=injected.acted, text="; ".join([injected.text, *again]))
