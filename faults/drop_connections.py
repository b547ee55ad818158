"""DropConnections: new connections are reset at once; open ones stay open."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from faults._toxics import Toxic, check
from harness.model.environment import Environment
from harness.model.evidence import Evidence, Targets
from harness.model.fault import Aim, Fault


@dataclass(frozen=True)
class DropConnections(Fault):
    """New connections over the links, or a `share` of them, are reset; open ones are left alone.

    It shows only if something connects meanwhile: overlap it with a fault that closes connections, such as `Isolate`. Needs the
    embedded fault plane.

    Models a service with a full accept queue or connection table, or a balancer at its limit: clients that keep their
    connections notice nothing, and those that lost them cannot reconnect.
    """

    share: float = 1.0

    aims_at: ClassVar[Aim] = "links"

    def __post_init__(self) -> None:
        check("DropConnections", "share", self.share, 0.001, 1)

    async def inject(self, environment: Environment, targets: Targets) -> Evidence:
        return await self._toxic.put(environment, targets)

    async def heal(self, environment: Environment, targets: Targets, injected: Evidence) -> Evidence:
        return await self._toxic.take(environment, targets)

    @property
    def _toxic(self) -> Toxic:
        return Toxic(kind="drop_connect", streams=("upstream",), toxicity=self.share, counts="new connections reset")
