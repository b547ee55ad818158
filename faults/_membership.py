"""Membership changes: the shared parts of `Join` and `Leave`."""

from __future__ import annotations

from collections.abc import Mapping

from harness.model.environment import Environment
from harness.model.errors import FaultError, UsageError
from harness.model.evidence import Evidence, Targets
from harness.model.membership import HasMembership
from harness.model.system import Address, System


def check(kind: str, target: str, system: System) -> None:
    """Raise `UsageError` if a target is a node beside the members, such as one that keeps the list of them."""
    others = [node.name for node in system.nodes() if not node.replica]
    if wrong := [name for name in target.split() if name in others]:
        members = ", ".join(node.name for node in system.nodes() if node.replica)
        raise UsageError(f"{kind}({target!r}): {wrong[0]} is never a member of {type(system).__name__}. Use {members}.")


async def change(environment: Environment, targets: Targets, *, joins: bool) -> Evidence:
    """Make each node join or leave, one after another, without waiting for data to move."""
    system, addresses = _system(environment), _addresses(environment)
    refused = {}
    for name in targets.nodes:
        wrong = await (system.join(name, addresses) if joins else system.leave(name, addresses))
        if wrong is not None:
            refused[name] = wrong
    what = "joins" if joins else "leaves"
    told = [f"{name} {f'was refused: {refused[name]}' if name in refused else what}" for name in targets.nodes]
    return Evidence(acted=not refused, text=", ".join(told))


async def seen(environment: Environment, targets: Targets, injected: Evidence) -> Evidence:
    """Report how much the nodes hold by now; there is nothing to undo."""
    held = await _system(environment).holdings(_addresses(environment))
    if held is None:
        return injected
    now = ", ".join(f"{name} holds {held.get(name, 0)}" for name in targets.nodes)
    return Evidence(acted=injected.acted, text=f"{injected.text}; in the end {now} of {sum(held.values())}")


def _system(environment: Environment) -> HasMembership:
    system = environment.system
    if not isinstance(system, HasMembership):
        raise FaultError(f"{type(system).__name__} cannot change its members")
    return system


def _addresses(environment: Environment) -> Mapping[str, Address]:
    return {name: environment.address(name) for name in environment.nodes}
