"""RemoveMember, AddMember: an operator removes a member from a group, or adds one, under load."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from harness.model.environment import Environment
from harness.model.errors import FaultError
from harness.model.evidence import Evidence, Targets
from harness.model.fault import Aim, Fault
from harness.model.system import HasMembers


@dataclass(frozen=True)
class RemoveMember(Fault):
    """The targets leave the group but keep running; when the window ends they rejoin it.

    An operation rather than a fault: most groups change when machines are replaced. It has acted if the group confirmed the new
    membership, and the old one when the window ends. Targets change one after another.
    """

    aims_at: ClassVar[Aim] = "nodes"
    needs: ClassVar[type | None] = HasMembers
    changes_members: ClassVar[bool] = True

    async def inject(self, environment: Environment, targets: Targets) -> Evidence:
        return await _change(environment, remove=targets.nodes)

    async def heal(self, environment: Environment, targets: Targets, injected: Evidence) -> Evidence:
        return _both(injected, await _change(environment, add=targets.nodes))


@dataclass(frozen=True)
class AddMember(Fault):
    """Nodes that run beside the group join it; when the window ends they leave it.

    An operation rather than a fault. It has acted if the group confirmed the new membership, and the old one when the window
    ends.
    """

    aims_at: ClassVar[Aim] = "nodes"
    needs: ClassVar[type | None] = HasMembers
    changes_members: ClassVar[bool] = True

    async def inject(self, environment: Environment, targets: Targets) -> Evidence:
        return await _change(environment, add=targets.nodes)

    async def heal(self, environment: Environment, targets: Targets, injected: Evidence) -> Evidence:
        return _both(injected, await _change(environment, remove=targets.nodes))


async def _change(environment: Environment, *, add: Sequence[str] = (), remove: Sequence[str] = ()) -> Evidence:
    system = environment.system
    if not isinstance(system, HasMembers):
        raise FaultError(f"{type(system).__name__} cannot change its members")
    addresses = {name: environment.address(name) for name in environment.nodes}
    told, refused = [], 0
    for name, joins in [*((name, True) for name in add), *((name, False) for name in remove)]:
        wrong = await system.change_member(name, joins, addresses)
        refused += wrong is not None
        told.append(f"{name} {'joins' if joins else 'leaves'}" + (f": {wrong}" if wrong else ""))
    return Evidence(acted=not refused, text=", ".join(told))


def _both(injected: Evidence, healed: Evidence) -> Evidence:
    """Evidence of a change and of its undoing: the fault has not acted as declared unless the group confirmed both."""
    return Evidence(
        acted=bool(injected.acted) and bool(healed.acted),
        text=f"{injected.text}; {'' if healed.acted else 'not undone: '}{healed.text}",
    )
