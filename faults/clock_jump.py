"""ClockJump: a node's clock jumps, and jumps back, again and again."""

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
class ClockJump(Fault):
    """The wall clock jumps by `by_ms`, back after `every_ms`, and so on, until the window ends.

    Models two time sources that disagree, and time that runs backwards: at the leap second of 2016 a negative duration stopped
    Cloudflare's DNS servers (Graham-Cumming, "How and why the leap second affected Cloudflare DNS", 2017).

    It has acted only if each target's own code read its clock meanwhile. `must_be_read=False` is for a system that promises not
    to depend on that: then it is enough that the clock was seen to be wrong. A foreign program's reads are not counted.

    Also works on a foreign program if its node has `fake_clock=True` and libfaketime is installed.
    """

    by_ms: float = 500.0
    every_ms: float = 200.0
    must_be_read: bool = True

    aims_at: ClassVar[Aim] = "nodes"
    uses: ClassVar[Use | None] = "clock"

    def __post_init__(self) -> None:
        _clocks.check(self, "by_ms", self.by_ms)
        _clocks.check(self, "every_ms", self.every_ms, negative=False)

    def check(self, system: System) -> None:
        _clocks.check_targets(self, system)

    async def inject(self, environment: Environment, targets: Targets) -> Evidence:
        term = Term(environment.monotonic_ns(), by_ns=round(self.by_ms * 1e6), every_ns=round(self.every_ms * 1e6))
        return await _clocks.begin(environment, targets, term)

    async def heal(self, environment: Environment, targets: Targets, injected: Evidence) -> Evidence:
        return await _clocks.end(environment, targets, injected, must_be_read=self.must_be_read)
