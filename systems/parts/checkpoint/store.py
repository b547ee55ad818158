"""Checkpoints in a folder: each rank writes its shard, one rank writes the manifest, and the newest sound one is loaded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec
import torch
from safetensors.torch import load, save

from harness.node.disk import Disk
from systems.parts import checksums
from systems.parts.checkpoint import manifest as manifests
from systems.parts.checkpoint.manifest import NO_PROGRESS, Identity, Manifest, Shard, Withdrawn, is_withdrawn
from systems.parts.checkpoint.refusals import (
    CheckpointError,
    Damaged,
    NoneTrusted,
    NoValidCheckpoint,
    OtherJob,
    Overwritten,
    Refusal,
    StillNeeded,
    TooLate,
    why_of,
)
from systems.parts.checkpoint.stamps import Stamp, stamp_of

Tensors = Mapping[str, torch.Tensor]

PRIVATE: Final = "private/"
"""The prefix of the names of tensors that only one rank has, so that no other rank can compute their digest."""

_MANIFEST: Final = ".json"
_SHARD: Final = ".safetensors"
_WITHDRAWN: Final = ".withdrawn"


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """A checkpoint is made every `every` steps, and the last `keep` are kept."""

    every: int
    keep: int = 2

    def __post_init__(self) -> None:
        if self.every < 1 or self.keep < 1:
            raise ValueError(f"Schedule(every={self.every}, keep={self.keep}): both are at least 1")

    def due(self, step: int) -> bool:
        """Whether to make a checkpoint when `step` steps are done."""
        return step > 0 and step % self.every == 0

    def slot(self, step: int) -> str:
        """The prefix of a checkpoint's file names. It overwrites the checkpoint made `keep + 1` checkpoints earlier.

        Another schedule has other names, so it never overwrites what this one keeps.
        """
        return f"every{self.every}-keep{self.keep}-{step // self.every % (self.keep + 1)}-"


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """A sound checkpoint, loaded."""

    step: int
    tensors: Tensors
    progress: msgspec.Raw
    refused: tuple[Refusal, ...]
    """Checkpoints that were not used: newer ones that are damaged, and unreadable ones."""


class Checkpoints:
    """The checkpoints in one folder, which all ranks share.

    Calls block until the data is on the disk, and raise `OSError` if that fails (a full disk, a failed fsync). A failed call
    leaves what was there before.
    """

    def __init__(self, disk: Disk, identity: Identity, schedule: Schedule) -> None:
        self._disk = disk
        self.identity = identity
        self.schedule = schedule
        self._unsound: set[tuple[str, Stamp]] = set()
        """Manifests, by name and stamp, whose files `newest` found to be damaged."""
        self._told: tuple[Withdrawn, ...] = ()

    def refuse(self, withdrawn: Sequence[Withdrawn]) -> None:
        """Use none of these checkpoints, whatever the disk says. These are all that any node has withdrawn.

        While there are any, a damaged list on the disk does no harm: all that it can say is known.
        """
        self._told = tuple(withdrawn)

    def write_shard(self, step: int, by: str, tensors: Tensors, generation: int = 0) -> Shard:
        """Write one rank's tensors to the disk; they count once a manifest names them.

        `by` is the rank's name; no two ranks share one, in whatever generation, which is that of its group.

        Raises `StillNeeded` if that would overwrite the newest complete checkpoint: those since then were not completed, and
        this one may not be either.
        """
        self._check_not_needed(step)
        name = f"{self.schedule.slot(step)}{by}{_SHARD}"
        data = save(dict(tensors), Stamp(generation=generation, step=step).metadata())
        # Once more when all is written, which takes long: a coordinator that was frozen may have completed one meanwhile.
        self._disk.replace(name, data, check=lambda: self._check_not_needed(step))
        return manifests.shard_of(name, data)

    def commit(
        self,
        step: int,
        by: str,
        shards: Sequence[Shard],
        progress: msgspec.Raw = NO_PROGRESS,
        state: str = "",
        generation: int = 0,
    ) -> Manifest:
        """Make a checkpoint of shards that are all on the disk: from now on it is the newest.

        `by` is the name of the node that commits. `state` is the `digest_of` all tensors except private ones, taken before they
        were copied, and `generation` that of the group that wrote the shards.

        Raises `TooLate` if later checkpoints have taken the place of a shard, or of this node's manifest: word of the shards
        came late, or the node was held up.
        """
        manifest = Manifest(
            identity=self.identity, step=step, shards=tuple(shards), progress=progress, state=state, generation=generation
        )
        name = f"{self.schedule.slot(step)}{by}{_MANIFEST}"
        if not self._holds(manifest):
            raise TooLate("a file of it is no longer there")
        before = self._manifest(name)
        if before is not None and _stamp(before) > _stamp(manifest) and self._holds(before):
            raise TooLate(f"step {before.step} is complete and in its place")
        self._disk.replace(name, manifests.encode(manifest))
        return manifest

    def newest(self) -> Checkpoint | None:
        """The newest sound checkpoint; None if there is none, or only withdrawn ones.

        Raises `NoValidCheckpoint` if there are some but none is sound, `NoneTrusted` if there are only withdrawn ones and such
        as have made way for them, `OtherJob` if the newest readable one belongs to another job, `Damaged` if it cannot be told
        which are withdrawn.
        """
        refused: list[Refusal] = []
        withdrawn, passed, overwritten = self._withdrawn(), 0, 0
        for name, manifest in self._candidates(refused):
            if is_withdrawn(withdrawn, manifest.generation, manifest.step):
                passed += 1
                continue
            try:
                manifests.check_identity(manifest.identity, self.identity)
                return self._load(manifest, refused)
            except (Damaged, OSError) as error:
                refused.append(Refusal(step=manifest.step, file=name, why=why_of(error)))
                overwritten += isinstance(error, Overwritten)
                self._unsound.add((name, _stamp(manifest)))
            except OtherJob as error:
                raise OtherJob(f"{name}, step {manifest.step}: {error}") from None
        if not refused:
            return None
        raise NoneTrusted(refused) if passed and len(refused) == overwritten else NoValidCheckpoint(refused)

    def _manifest(self, name: str) -> Manifest | None:
        """The manifest in this file; None if there is none that can be read."""
        try:
            return manifests.decode(self._disk.read(name) or b"")
        except (CheckpointError, OSError):
            return None

    def _check_not_needed(self, step: int) -> None:
        withdrawn = self._withdrawn()
        for name, manifest in _newest_first(self._disk, []):
            slot = self.schedule.slot(manifest.step)
            if not name.startswith(slot) or is_withdrawn(withdrawn, manifest.generation, manifest.step):
                continue
            if self._counts(name, manifest) and (manifest.step < step or self._is_sound(manifest)):
                if slot == self.schedule.slot(step):
                    raise StillNeeded(f"it would overwrite step {manifest.step}, the last one that is complete")
                return

    def _counts(self, name: str, manifest: Manifest) -> bool:
        """Whether a checkpoint counts as sound until it is loaded."""
        return (name, _stamp(manifest)) not in self._unsound and self._holds(manifest)

    def _is_sound(self, manifest: Manifest) -> bool:
        """Whether a checkpoint can be loaded, which takes reading all of it.

        A training that has come less far than the newest checkpoint either goes on from the older state of a rank, or has not
        resumed from it because it is damaged. Few saves are made before it is as far again.
        """
        try:
            self._load(manifest, ())
        except (Damaged, OSError):
            return False
        return True

    def _withdrawn(self) -> Sequence[Withdrawn]:
        try:
            return [*self._told, *_all_withdrawn(self._disk)]
        except Damaged:
            if not self._told:
                raise
            return self._told

    def _holds(self, manifest: Manifest) -> bool:
        """Whether the files that a manifest names are still those of its checkpoint, damaged or not."""
        return all(stamp_of(self._disk, shard.name) == _stamp(manifest) for shard in manifest.shards)

    def _candidates(self, refused: list[Refusal]) -> Iterable[tuple[str, Manifest]]:
        """The readable manifests with their file names, in the order in which they are tried."""
        return _newest_first(self._disk, refused)

    def _load(self, manifest: Manifest, refused: Sequence[Refusal]) -> Checkpoint:
        tensors: dict[str, torch.Tensor] = {}
        for shard in manifest.shards:
            try:
                tensors |= load(manifests.check_shard(shard, self._disk.read(shard.name)))
            except Damaged:
                later = stamp_of(self._disk, shard.name)
                if later is not None and later > _stamp(manifest):
                    raise Overwritten(f"{shard.name} has made way for step {later.step}") from None
                raise
        self._check_state(manifest, tensors)
        return Checkpoint(step=manifest.step, tensors=tensors, progress=manifest.progress, refused=tuple(refused))

    def _check_state(self, manifest: Manifest, tensors: Tensors) -> None:
        shared = {name: tensor for name, tensor in tensors.items() if not name.startswith(PRIVATE)}
        if manifest.state and digest_of(shared) != manifest.state:
            raise Damaged("what was written is not what the job held")


def withdraw(disk: Disk, by: str, withdrawn: Sequence[Withdrawn]) -> list[int]:
    """Withdraw checkpoints, even those that a frozen node has yet to commit; returns the steps of those that are there.

    `by` is the name of the node that withdraws them. `withdrawn` includes all that it withdrew before: that list is replaced.
    Raises `OSError` if writing fails.
    """
    disk.replace(f"{by}{_WITHDRAWN}", manifests.encode_withdrawn(withdrawn))
    there = [one for _, one in _newest_first(disk, []) if is_withdrawn(withdrawn, one.generation, one.step)]
    return sorted({one.step for one in there}, reverse=True)


def digest_of(tensors: Tensors) -> str:
    """The checksum of tensors that a manifest keeps as `state`."""
    return f"{checksums.of_tensors(tensors):016x}"


def _stamp(manifest: Manifest) -> Stamp:
    return Stamp(generation=manifest.generation, step=manifest.step)


def _all_withdrawn(disk: Disk) -> list[Withdrawn]:
    """What any node has withdrawn. Raises `Damaged`, `OSError`."""
    withdrawn: list[Withdrawn] = []
    for name in disk.names():
        if name.endswith(_WITHDRAWN):
            try:
                withdrawn += manifests.decode_withdrawn(disk.read(name) or b"")
            except Damaged as error:
                raise Damaged(
                    f"{name} says which checkpoints must not be used, but {error}. Restore it from a copy, or empty the folder"
                    " to start at step 0."
                ) from None
    return withdrawn


def _newest_first(disk: Disk, refused: list[Refusal]) -> Iterator[tuple[str, Manifest]]:
    """The readable manifests with their file names; the unreadable ones are added to `refused`."""
    found: list[tuple[str, Manifest]] = []
    for name in disk.names():
        if name.endswith(_MANIFEST):
            try:
                found.append((name, manifests.decode(disk.read(name) or b"")))
            except (CheckpointError, OSError) as error:
                refused.append(Refusal(file=name, why=why_of(error)))
    yield from sorted(found, key=lambda pair: (pair[1].step, pair[1].generation), reverse=True)


def part_of(tensors: Tensors, rank: int, world: int) -> dict[str, torch.Tensor]:
    """The tensors that one of `world` ranks writes: each tensor belongs to one rank, and ranks get about equally many bytes.

    Greedy: the largest first, each to the rank with the fewest bytes so far (Graham, 1969: at most 4/3 of the optimum).
    """
    loads = [0] * world
    mine: dict[str, torch.Tensor] = {}
    for name in sorted(tensors, key=lambda name: (-tensors[name].nbytes, name)):
        least = loads.index(min(loads))
        loads[least] += tensors[name].nbytes
        if least == rank:
            mine[name] = tensors[name]
    return mine
