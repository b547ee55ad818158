"""Failover: an operator has another node lead, as a person or a program beside the system does."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import ClassVar, Final

from faults.kill import started_again
from harness.model.environment import Environment
from harness.model.errors import FaultError, UsageError
from harness.model.evidence import Evidence, Targets
from harness.model.fault import Aim, Fault
from harness.model.system import HasFailover, System

_ANSWER_S: Final = 1.0
_PROMOTED_S: Final = 5.0


@dataclass(frozen=True)
class Failover(Fault):
    """The target is made the leader. The window's end is when the operator sees to other nodes that still lead.

    An operation rather than a fault: what Redis Sentinel, Patroni or a person does when the leader seems to be gone, for
    databases that do not elect one themselves. Such an operator may be mistaken, and until the window's end a leader that
    lives on goes on leading. Then it is killed and started again, and follows.
    """

    aims_at: ClassVar[Aim] = "nodes"
    needs: ClassVar[type | None] = HasFailover

    def check(self, system: System) -> None:
        names = [node.name for node in system.nodes()]
        if self.target not in names:
            raise UsageError(f"Failover({self.target!r}): one node can lead. Name it: {', '.join(names)}.")

    async def inject(self, environment: Environment, targets: Targets) -> Evidence:
        """Evidence is what the target said of itself before and after."""
        system = _system(environment)
        [name] = targets.nodes
        if await _leads(environment, name):
            return Evidence(acted=False, text=f"{name} led already")
        try:
            async with asyncio.timeout(_PROMOTED_S):
                await system.promote(environment.address(name))
        except OSError as error:  # also when it takes too long
            raise FaultError(f"{name} did not become the leader: {str(error) or type(error).__name__}") from error
        return Evidence(acted=await _leads(environment, name), text=f"{name} followed, and leads now")

    async def heal(self, environment: Environment, targets: Targets, injected: Evidence) -> Evidence:
        others = [name for name in environment.nodes if name not in targets.nodes and await _leads(environment, name)]
        for name in others:
            await environment.processes.kill(name, targets.label)
        again = await started_again(environment, Targets(label=targets.label, nodes=tuple(others), links=()))
        still = [name for name in others if await _leads(environment, name)]
        told = [injected.text, *again, *(f"{name} leads still" for name in still)]
        return Evidence(acted=bool(injected.acted) and not still, text="; ".join(told))


async def _leads(environment: Environment, name: str) -> bool:
    """Whether a node says that it leads; one that does not answer does not."""
    if not environment.processes.runs(name):
        return False
    try:
        async with asyncio.timeout(_ANSWER_S):
            return await _system(environment).leads(environment.address(name))
    except OSError:
        return False


def _system(environment: Environment) -> HasFailover:
    if not isinstance(environment.system, HasFailover):
        raise FaultError(f"{type(environment.system).__name__} has no failover")
    return environment.system
