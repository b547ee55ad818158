"""SlowConnect: new connections take long to become usable."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from faults._toxics import Toxic, check
from harness.model.environment import Environment
from harness.model.evidence import Evidence, Targets
from harness.model.fault import Aim, Fault

_LONGEST_MS = 3_600_000


@dataclass(frozen=True)
class SlowConnect(Fault):
    """The first data on a new connection over the links waits for `delay_ms`; open connections stay fast.

    It shows only if something connects meanwhile: overlap it with a fault that closes connections, such as `Isolate`. Needs the
    embedded fault plane.

    Models full accept queues and slow handshakes, which keep a pool that lost its connections slow long after the cause is
    gone: one of the sustaining effects of Bronson et al., "Metastable Failures in Distributed Systems", HotOS 2021.
    """

    delay_ms: int = 200

    aims_at: ClassVar[Aim] = "links"

    def __post_init__(self) -> None:
        check("SlowConnect", "delay_ms", self.delay_ms, 1, _LONGEST_MS)

    async def inject(self, environment: Environment, targets: Targets) -> Evidence:
        return await self._toxic.put(environment, targets)

    async def heal(self, environment: Environment, targets: Targets, injected: Evidence) -> Evidence:
        return await self._toxic.take(environment, targets)

    @property
    def _toxic(self) -> Toxic:
        attributes = {"delay": int(self.delay_ms)}
        return Toxic(kind="slow_connect", streams=("upstream",), attributes=attributes, counts="new connections delayed")
