"""Reload: the nodes load another version without a restart, one after another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from harness.model.environment import Environment
from harness.model.errors import FaultError
from harness.model.evidence import Evidence, Targets
from harness.model.fault import Aim, Fault
from harness.model.rollout import HasReload
from harness.model.system import System


@dataclass(frozen=True)
class Reload(Fault):
    """Each node in turn loads another version, under load and without a restart, as model servers do.

    An operation rather than a fault: clients should not notice it. It has acted if every node confirmed the version, or refused
    it as it should; checkers judge the answers after that. The window's end changes nothing.
    """

    version: str = "v2"
    refused: bool = False
    """Whether every node should refuse: the version is not valid, or another fault keeps the nodes from loading it."""

    aims_at: ClassVar[Aim] = "nodes"
    needs: ClassVar[type | None] = HasReload

    def check(self, system: System) -> None:
        if isinstance(system, HasReload):
            system.config_of(self.version)

    async def inject(self, environment: Environment, targets: Targets) -> Evidence:
        """Evidence is each node's answer. A node that restarts later also starts as the new version."""
        system = environment.system
        if not isinstance(system, HasReload):
            raise FaultError(f"{type(system).__name__} cannot reload")
        addresses = {name: environment.address(name) for name in environment.nodes}
        told, refused = [], 0
        for name in targets.nodes:
            wrong = await system.reload(name, self.version, addresses)
            if wrong is None:
                environment.processes.configure(name, system.config_of(self.version))
            else:
                refused += 1
            told.append(f"{name} {f'did not load {self.version}: {wrong}' if wrong else f'loaded {self.version}'}")
        return Evidence(acted=refused == (len(targets.nodes) if self.refused else 0), text=", ".join(told))

    async def heal(self, environment: Environment, targets: Targets, injected: Evidence) -> Evidence:
        """There is nothing to undo."""
        return injected
