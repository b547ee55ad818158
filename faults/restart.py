"""Restart: a process shuts down on SIGTERM, and restarts when the window ends."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from faults.kill import ended, started_again
from harness.model.environment import Environment
from harness.model.errors import UsageError
from harness.model.evidence import Evidence, Targets
from harness.model.fault import Aim, Fault
from harness.model.window_work import all_done


@dataclass(frozen=True)
class Restart(Fault):
    """SIGTERM, then SIGKILL if it has not ended after `grace_s`; the node restarts with its data when the window ends.

    A deployment or the draining of a machine does this to each node. About 70% of Google's outages came from changes to a live
    system (Beyer et al., "Site Reliability Engineering", 2016, chapter 1), and most changes include a restart.
    """

    grace_s: float = 5.0

    aims_at: ClassVar[Aim] = "nodes"

    def __post_init__(self) -> None:
        if not (math.isfinite(self.grace_s) and self.grace_s > 0):
            raise UsageError(f"Restart(grace_s={self.grace_s:g}): must be a number of seconds above 0.")

    async def inject(self, environment: Environment, targets: Targets) -> Evidence:
        """Evidence is how each process ended. A process that had to be killed counts too, and the evidence says so."""
        pids = {name: environment.processes.pid(name) for name in targets.nodes}
        codes = await all_done(environment.processes.terminate(name, targets.label, self.grace_s) for name in targets.nodes)
        return Evidence(acted=True, text=ended(pids, codes))

    async def heal(self, environment: Environment, targets: Targets, injected: Evidence) -> Evidence:
        """Start all nodes at once, because a node may wait for others before it answers."""
        again = await started_again(environment, targets)
        return Evidence(acted=injected.acted, text="; ".join([injected.text, *again]))
