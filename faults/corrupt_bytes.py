"""CorruptBytes: bits flip on links, and no checksum of the network notices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from faults._toxics import BOTH, Toxic, check
from harness.model.environment import Environment
from harness.model.errors import UsageError
from harness.model.evidence import Evidence, Targets
from harness.model.fault import Aim, Fault


@dataclass(frozen=True)
class CorruptBytes(Fault):
    """Each byte has a bit flipped with probability `rate`; `stream` "upstream" affects what is sent to the links' targets.

    A message that no longer parses is noticed; a changed letter or digit is not, unless the system has its own checksums. Needs
    the embedded fault plane.

    Models memory or a network card that flips bits that TCP's checksum does not cover. Stone and Partridge, "When the CRC and
    TCP Checksum Disagree", SIGCOMM 2000, found such packets on every network that they watched; one flipped bit in its servers'
    gossip brought Amazon S3 down on 20 July 2008.
    """

    rate: float = 0.001
    stream: Literal["both", "upstream", "downstream"] = "both"

    aims_at: ClassVar[Aim] = "links"

    def __post_init__(self) -> None:
        check("CorruptBytes", "rate", self.rate, 1e-9, 1)
        if self.stream not in ("both", *BOTH):
            raise UsageError(f"CorruptBytes(stream={self.stream!r}): no such stream. Use 'both', 'upstream' or 'downstream'.")

    async def inject(self, environment: Environment, targets: Targets) -> Evidence:
        return await self._toxic.put(environment, targets)

    async def heal(self, environment: Environment, targets: Targets, injected: Evidence) -> Evidence:
        return await self._toxic.take(environment, targets)

    @property
    def _toxic(self) -> Toxic:
        streams = BOTH if self.stream == "both" else (self.stream,)
        return Toxic(kind="corrupt", streams=streams, attributes={"rate": self.rate}, counts="bytes corrupted")
