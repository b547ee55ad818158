"""Deploy: a rolling deploy of a new version, rolled back if a node is unhealthy."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from faults.kill import started_again
from harness.model.environment import Environment
from harness.model.errors import FaultError, NodeDown, UsageError
from harness.model.evidence import Evidence, Targets
from harness.model.fault import Aim, Fault
from harness.model.rollout import HasDeploy, Rollout, Step
from harness.model.system import System


@dataclass(frozen=True)
class Deploy(Fault):
    """SIGTERM drains each node in turn; it restarts as the new version and is verified. An unhealthy node rolls all back.

    An operation rather than a fault: clients should not notice it. It begins with the window and runs to its end.
    About 70% of Google's outages came from changes to a live system (Beyer et al., "Site Reliability Engineering", 2016,
    chapter 1).
    """

    version: str = "v2"
    grace_s: float = 8.0
    """A node that has not ended this long after SIGTERM gets SIGKILL."""

    aims_at: ClassVar[Aim] = "nodes"
    needs: ClassVar[type | None] = HasDeploy

    def __post_init__(self) -> None:
        if not (math.isfinite(self.grace_s) and self.grace_s > 0):
            raise UsageError(f"Deploy(grace_s={self.grace_s:g}): must be a number of seconds above 0.")

    def check(self, system: System) -> None:
        if isinstance(system, HasDeploy):
            system.rollout([], self.version)

    async def inject(self, environment: Environment, targets: Targets) -> Evidence:
        """Evidence is every replacement and how the deploy ended."""
        system = environment.system
        if not isinstance(system, HasDeploy):
            raise FaultError(f"{type(system).__name__} cannot be deployed")
        rollout, done = system.rollout(targets.nodes, self.version), []
        while (step := rollout.next()) is not None:
            try:
                wrong = await self._do(environment, system, step, targets.label)
            except FaultError as error:  # another fault has stopped the node; it comes back with the version of the last step
                wrong = str(error)
            else:
                if step.action == "replace":
                    done.append(f"{step.node} -> {step.version}")
            rollout.done(wrong)
        return Evidence(acted=bool(done), text=_ended(rollout, done))

    async def heal(self, environment: Environment, targets: Targets, injected: Evidence) -> Evidence:
        """Start a node that was down when the deploy was cancelled; otherwise there is nothing to undo."""
        again = await started_again(environment, targets)
        return Evidence(acted=injected.acted, text="; ".join([injected.text, *again]))

    async def _do(self, environment: Environment, system: HasDeploy, step: Step, label: str) -> str | None:
        if step.action == "verify":
            return await system.verify(step.node, step.version, {name: environment.address(name) for name in environment.nodes})
        environment.processes.configure(step.node, system.config_of(step.version))
        await environment.processes.terminate(step.node, label, self.grace_s)
        try:
            await environment.processes.restart(step.node, label)
        except NodeDown as error:
            return str(error)
        return None


def _ended(rollout: Rollout, done: list[str]) -> str:
    why = f" ({rollout.why})" if rollout.why else ""
    return f"{', '.join(done) or 'no node was replaced'}: {rollout.result}{why}"
