"""PowerLoss: a process dies with its machine and loses all unsynced data."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import ClassVar

from faults import _steered
from faults.kill import Kill
from harness.model.environment import Environment, StoredFile
from harness.model.evidence import Evidence, Targets
from harness.model.fault import Aim, Fault, Use
from harness.model.steering import Tracked
from harness.model.system import System


@dataclass(frozen=True)
class PowerLoss(Fault):
    """SIGKILL, and the unsynced end of every file is cut off; the node restarts with the rest when the window ends.

    SIGKILL alone loses no written data, because the kernel still has it. But the harness's storage layer records how much of
    each file was synced, up to the last moment. Data after that is cut off; with `torn`, a random part of it stays. Data that a
    failed sync left unwritten becomes zeros. With `torn` the fault has acted only if each target lost something: combine it
    with `SlowDisk`, or it seldom hits a write in progress.

    Models a power cut, a kernel panic, or the loss of a machine with its page cache. How stores fail then: Zheng et al.,
    "Torturing Databases for Fun and Profit", OSDI 2014; Pillai et al., "All File Systems Are Not Created Equal", OSDI 2014.
    """

    torn: bool = False

    aims_at: ClassVar[Aim] = "nodes"
    uses: ClassVar[Use | None] = "files"

    def check(self, system: System) -> None:
        _steered.check(self, system)

    async def inject(self, environment: Environment, targets: Targets) -> Evidence:
        for name in targets.nodes:
            environment.disks.tracked(name)  # raises before any node is killed, if not every file can be tracked
        killed = await Kill(self.target).inject(environment, targets)
        told, lost_by = [killed.text], dict.fromkeys(targets.nodes, 0)
        for name in targets.nodes:
            files = environment.disks.files(name)
            for tracked in environment.disks.tracked(name):
                # The file is gone, or was not renamed into place yet; in that case the node writes it again first.
                if tracked.name not in files:
                    continue
                random = environment.random(f"{targets.label}/{name}/{tracked.name}") if self.torn else None
                if lost := lose_unsynced(files[tracked.name], tracked, random):
                    told.append(f"{name} lost {lost} unsynced bytes of {tracked.name}")
                    lost_by[name] += lost
        if safe := [name for name, lost in lost_by.items() if not lost]:
            told.append(f"everything was synced on {', '.join(safe)}")
        readings = {f"{name} lost_bytes": float(lost) for name, lost in lost_by.items()}
        acted = killed.acted and (not self.torn or not safe)
        return Evidence(acted=acted, text="; ".join(told), readings=readings)

    async def heal(self, environment: Environment, targets: Targets, injected: Evidence) -> Evidence:
        return await Kill(self.target).heal(environment, targets, injected)


def lose_unsynced(file: StoredFile, tracked: Tracked, random: Random | None = None) -> int:
    """Cut a file down to what a power loss leaves of it, and return the bytes lost. With `random`, a random part stays."""
    length = file.size()
    keep, holes = min(length, tracked.synced_bytes), [hole for hole in tracked.holes if hole[0] < length]
    if random is not None:
        keep += random.randrange(max(1, length - keep))
        holes = [hole for hole in holes if random.random() < 0.5]
    elif holes and holes[-1][1] >= keep:
        keep = holes.pop()[0]
    lost = length - keep
    if lost:
        file.truncate(keep)
    for begin, end in holes:
        zeros = bytes(max(0, min(end, keep) - begin))
        if zeros:
            file.write_at(begin, zeros)
        lost += len(zeros)
    return lost
