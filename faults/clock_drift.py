"""ClockDrift: a node's clock runs fast or slow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from faults import _clocks
from harness.model.environment import Environment
from harness.model.evidence import Evidence, Targets
from harness.model.fault import Aim, Fault, Use
from harness.model.steering import Term
from harness.model.system import System


@dataclass(frozen=True)
class ClockDrift(Fault):
    """The wall clock gains `parts_per_million` microseconds a second, or loses them if negative, until the window ends.

    Models a bad oscillator that no time service corrects. Leases and bounded clocks are only as good as their bound on drift:
    Spanner assumes 200 parts per million (Corbett et al., "Spanner: Google's Globally-Distributed Database", OSDI 2012,
    section 3). A drill lasts seconds, so exaggerate: at 100,000 the clock is a second wrong after ten.

    It has acted only if each target's own code read its clock meanwhile. `must_be_read=False` is for a system that promises not
    to depend on that: then it is enough that the clock was seen to be wrong. A foreign program's reads are not counted.

    Also works on a foreign program if its node has `fake_clock=True` and libfaketime is installed.
    """

    parts_per_million: float = 100_000.0
    must_be_read: bool = True

    aims_at: ClassVar[Aim] = "nodes"
    uses: ClassVar[Use | None] = "clock"

    def __post_init__(self) -> None:
        _clocks.check(self, "parts_per_million", self.parts_per_million, most=1e9)

    def check(self, system: System) -> None:
        _clocks.check_targets(self, system)

    async def inject(self, environment: Environment, targets: Targets) -> Evidence:
        term = Term(environment.monotonic_ns(), parts_per_billion=round(self.parts_per_million * 1000))
        return await _clocks.begin(environment, targets, term)

    async def heal(self, environment: Environment, targets: Targets, injected: Evidence) -> Evidence:
        return await _clocks.end(environment, targets, injected, must_be_read=self.must_be_read)
