"""RemoveMember, AddMember: a group is told that a node no longer belongs to it, or that another one does, under load."""

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
    """The group goes on without the targets, which run on; when the window ends they belong to it again.

    An operation rather than a fault: replacing machines is how most groups change. It has acted if the group said that its
    members are others now. Targets change one after another.
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
    """Nodes that run beside the group come to belong to it; when the window ends they do not any more.

    An operation rather than a fault. It has acted if the group said that its members are others now.
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
    return Evidence(acted=injected.acted, text=f"{injected.text}; {healed.text}")
