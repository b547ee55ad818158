"""HandOver: the leader hands over to another node."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from harness.model.environment import Environment
from harness.model.errors import FaultError
from harness.model.evidence import Evidence, Targets
from harness.model.fault import Aim, Fault
from harness.model.system import HasHandOver


@dataclass(frozen=True)
class HandOver(Fault):
    """The leader hands over to the target, as before planned maintenance. The window's end changes nothing.

    An operation rather than a fault: clients should hardly notice it. It has acted if the target leads afterwards.
    """

    aims_at: ClassVar[Aim] = "nodes"
    needs: ClassVar[type | None] = HasHandOver

    async def inject(self, environment: Environment, targets: Targets) -> Evidence:
        system = environment.system
        if not isinstance(system, HasHandOver):
            raise FaultError(f"{type(system).__name__} cannot hand over")
        addresses = {name: environment.address(name) for name in environment.nodes}
        wrong = await system.hand_over(targets.nodes[0], addresses)
        return Evidence(acted=wrong is None, text=f"{targets.nodes[0]} {f'does not lead: {wrong}' if wrong else 'leads'}")

    async def heal(self, environment: Environment, targets: Targets, injected: Evidence) -> Evidence:
        """There is nothing to undo."""
        return injected
