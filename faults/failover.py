"""Failover: an operator, or a program beside the system, makes another node the leader."""

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
from harness.model.window_work import all_done

_ANSWER_S: Final = 1.0
_PROMOTED_S: Final = 5.0


@dataclass(frozen=True)
class Failover(Fault):
    """The target becomes the leader. At the window's end the operator deals with other nodes that may still lead.

    An operation rather than a fault: it is what Redis Sentinel, Patroni or a person does when the leader seems to be gone, for
    databases that do not elect one themselves. The operator may be mistaken: until the window's end, an old leader that is
    alive goes on leading. Then it is killed, restarted, and follows; so is a node that does not say whether it leads, such as
    one all of whose connections wait for a standby that is gone.
    """

    aims_at: ClassVar[Aim] = "nodes"
    needs: ClassVar[type | None] = HasFailover

    def check(self, system: System) -> None:
        names = [node.name for node in system.nodes()]
        if self.target not in names:
            raise UsageError(f"Failover({self.target!r}): only one node can lead. Name it: {', '.join(names)}.")

    async def inject(self, environment: Environment, targets: Targets) -> Evidence:
        """Evidence is whether the target said that it leads, before and after."""
        system = _system(environment)
        [name] = targets.nodes
        if await _leads(environment, name):
            return Evidence(acted=False, text=f"{name} was the leader already")
        try:
            async with asyncio.timeout(_PROMOTED_S):
                await system.promote(environment.address(name))
        except OSError as error:  # also when it takes too long
            raise FaultError(f"{name} did not become the leader: {str(error) or type(error).__name__}") from error
        leads = await _leads(environment, name)
        return Evidence(acted=leads, text=f"{name} followed, and {'leads now' if leads else 'does not say that it leads now'}")

    async def heal(self, environment: Environment, targets: Targets, injected: Evidence) -> Evidence:
        """It has acted only if every other node that runs says in the end that it does not lead."""
        said = {name: await _leads(environment, name) for name in environment.nodes if name not in targets.nodes}
        others = [name for name, leads in said.items() if leads is not False]
        try:
            await all_done(environment.processes.kill(name, targets.label) for name in others)
        finally:  # also if one of them died on its own just then
            again = await started_again(environment, Targets(label=targets.label, nodes=tuple(others), links=()))
        said |= {name: await _leads(environment, name) for name in others}
        wrong = [
            f"{name} still leads" if leads else f"{name} did not say whether it leads"
            for name, leads in said.items()
            if leads is not False
        ]
        return Evidence(acted=bool(injected.acted) and not wrong, text="; ".join([injected.text, *again, *wrong]))


async def _leads(environment: Environment, name: str) -> bool | None:
    """Whether a node says that it leads: False if it does not run, None if it does not answer."""
    if not environment.processes.runs(name):
        return False
    try:
        async with asyncio.timeout(_ANSWER_S):
            return await _system(environment).leads(environment.address(name))
    except OSError:
        return None


def _system(environment: Environment) -> HasFailover:
    if not isinstance(environment.system, HasFailover):
        raise FaultError(f"{type(environment.system).__name__} has no failover")
    return environment.system
