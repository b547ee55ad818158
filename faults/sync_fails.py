"""SyncFails: a disk that does not take what is synced to it, and says so once."""

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
class SyncFails(Fault):
    """A sync ends with EIO, once, and what it should have written never reaches the disk, though the next sync succeeds.

    The node still reads what it had written, until the power fails: PowerLoss then leaves zeros in its place, or nothing.

    Models a failing disk under a kernel that reports a lost write to one fsync and takes the data for written from then on, by
    which PostgreSQL could lose acknowledged data ("fsyncgate", 2018): Rebello et al., "Can Applications Recover from fsync
    Failures?", USENIX ATC 2020.
    """

    aims_at: ClassVar[Aim] = "nodes"
    uses: ClassVar[Use | None] = "files"

    def check(self, system: System) -> None:
        _steered.check(self, system)

    async def inject(self, environment: Environment, targets: Targets) -> Evidence:
        return _steered.begin(environment, targets, Setting.SYNC_FAILS, 1, Counter.FAILED_SYNCS)

    async def heal(self, environment: Environment, targets: Targets, injected: Evidence) -> Evidence:
        return _steered.end(environment, targets, Setting.SYNC_FAILS, Counter.FAILED_SYNCS, injected, "syncs failed with EIO")
