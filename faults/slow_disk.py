"""SlowDisk: a disk that works, but slowly."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from faults import _steered
from harness.model.environment import Environment
from harness.model.errors import UsageError
from harness.model.evidence import Evidence, Targets
from harness.model.fault import Aim, Fault, Use
from harness.model.steering import Counter, Setting
from harness.model.system import System


@dataclass(frozen=True)
class SlowDisk(Fault):
    """Every read and every sync takes `delay_ms` longer; writes go to memory and do not. Overlapping delays add up.

    Models a disk that is about to fail, a volume at its I/O limit, or a neighbour's backup: Gunawi et al., "Fail-Slow at Scale:
    Evidence of Hardware Performance Faults in Large Production Systems", FAST 2018.
    """

    delay_ms: float = 100.0

    aims_at: ClassVar[Aim] = "nodes"
    uses: ClassVar[Use | None] = "files"

    def __post_init__(self) -> None:
        if not (math.isfinite(self.delay_ms) and 0.001 <= self.delay_ms <= 60_000):
            raise UsageError(f"SlowDisk(delay_ms={self.delay_ms!r}): must be between 0.001 and 60000.")

    def check(self, system: System) -> None:
        _steered.check(self, system)

    async def inject(self, environment: Environment, targets: Targets) -> Evidence:
        return _steered.begin(environment, targets, Setting.DELAY_NS, round(self.delay_ms * 1e6), Counter.DELAYED)

    async def heal(self, environment: Environment, targets: Targets, injected: Evidence) -> Evidence:
        what = f"reads and syncs delayed by {self.delay_ms:g} ms"
        return _steered.end(environment, targets, Setting.DELAY_NS, Counter.DELAYED, injected, what)
