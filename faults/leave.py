"""Leave: a member hands over everything that it holds and leaves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from faults import _membership
from harness.model.environment import Environment
from harness.model.evidence import Evidence, Targets
from harness.model.fault import Aim, Fault
from harness.model.membership import HasMembership
from harness.model.system import System


@dataclass(frozen=True)
class Leave(Fault):
    """The node hands over its data while the load goes on, as before decommissioning; the process keeps running.

    An operation rather than a fault: clients should not notice it. It begins with the window. The window's end changes nothing
    and reports how much the node holds by then.
    """

    aims_at: ClassVar[Aim] = "nodes"
    needs: ClassVar[type | None] = HasMembership
    changes_members: ClassVar[bool] = True

    def check(self, system: System) -> None:
        _membership.check(type(self).__name__, self.target, system)

    async def inject(self, environment: Environment, targets: Targets) -> Evidence:
        return await _membership.change(environment, targets, joins=False)

    async def heal(self, environment: Environment, targets: Targets, injected: Evidence) -> Evidence:
        return await _membership.seen(environment, targets, injected)
