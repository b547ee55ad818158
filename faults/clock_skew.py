"""ClockSkew: a node's clock is wrong."""

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
class ClockSkew(Fault):
    """The wall clock is `by_ms` ahead, or behind if negative, until the window ends.

    Models a machine without a working time service, or with a wrong one. A store that orders writes by timestamp then loses
    acknowledged writes: Kingsbury, "Jepsen: Cassandra", 2013. Timers use monotonic time and are not affected.

    It has acted only if each target's own code read its clock meanwhile. `must_be_read=False` is for a system that promises not
    to depend on that: then it is enough that the clock was seen to be wrong. A foreign program's reads are not counted.

    Also works on a foreign program if its node has `fake_clock=True` and libfaketime is installed.
    """

    by_ms: float = 500.0
    must_be_read: bool = True

    aims_at: ClassVar[Aim] = "nodes"
    uses: ClassVar[Use | None] = "clock"

    def __post_init__(self) -> None:
        _clocks.check(self, "by_ms", self.by_ms)

    def check(self, system: System) -> None:
        _clocks.check_targets(self, system)

    async def inject(self, environment: Environment, targets: Targets) -> Evidence:
        return await _clocks.begin(environment, targets, Term(environment.monotonic_ns(), by_ns=round(self.by_ms * 1e6)))

    async def heal(self, environment: Environment, targets: Targets, injected: Evidence) -> Evidence:
        return await _clocks.end(environment, targets, injected, must_be_read=self.must_be_read)
