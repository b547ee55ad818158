"""DiskFull: a disk without a free byte, or with only a few."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from faults import _steered
from harness.model.environment import Environment
from harness.model.evidence import Evidence, Targets
from harness.model.fault import Aim, Fault, Use
from harness.model.steering import Counter, Setting
from harness.model.system import System


@dataclass(frozen=True)
class DiskFull(Fault):
    """Every write fails with ENOSPC; existing data can be read.

    If the disk is `nearly` full, the end of a file still fits, and a file that is to replace another does not: a log goes on,
    and its compaction fails.

    Models a volume filled by logs or by a backup. The program gets an error, and bad handling of such errors is behind most
    catastrophic failures: Yuan et al., "Simple Testing Can Prevent Most Critical Failures", OSDI 2014.
    """

    nearly: bool = False

    aims_at: ClassVar[Aim] = "nodes"
    uses: ClassVar[Use | None] = "files"

    def check(self, system: System) -> None:
        _steered.check(self, system)

    async def inject(self, environment: Environment, targets: Targets) -> Evidence:
        return _steered.begin(environment, targets, self._setting, 1, Counter.REFUSED_WRITES)

    async def heal(self, environment: Environment, targets: Targets, injected: Evidence) -> Evidence:
        return _steered.end(environment, targets, self._setting, Counter.REFUSED_WRITES, injected, "writes refused with ENOSPC")

    @property
    def _setting(self) -> Setting:
        return Setting.SCARCE_SPACE if self.nearly else Setting.NO_SPACE
