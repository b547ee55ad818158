"""DropConnections: who connects is reset at once; who is connected stays so."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from faults._toxics import Toxic, check
from harness.model.environment import Environment
from harness.model.evidence import Evidence, Targets
from harness.model.fault import Aim, Fault


@dataclass(frozen=True)
class DropConnections(Fault):
    """New connections over the links are reset, all of them or a `share`; open ones are left alone.

    It shows only if something connects meanwhile: overlap it with a fault that ends connections, such as `Isolate`. Needs the
    embedded fault plane.

    Models a service whose accept queue or table of connections is full, or a balancer in front of it at its limit: what keeps
    its connections sees nothing wrong, and one that lost them gets none back.
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
