"""SyncFails: a disk that loses synced data and reports the error only once."""

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
    """A sync fails with EIO, once, and its data never reaches the disk, although the next sync succeeds.

    The node can still read the data until the power fails: PowerLoss then leaves zeros in its place, or nothing.

    Models a failing disk under a kernel that reports a lost write to one fsync and then marks the data as written, so that
    PostgreSQL could lose acknowledged data ("fsyncgate", 2018): Rebello et al., "Can Applications Recover from fsync
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
