"""A tiny job whose checkpoints the tests write and load."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress

import msgspec
import torch

from harness.node.crashpoints import MemoryFiles
from harness.node.disk import Disk
from systems.parts.checkpoint.manifest import Identity, Shard
from systems.parts.checkpoint.refusals import StillNeeded
from systems.parts.checkpoint.store import Checkpoints, Schedule, Tensors, part_of

IDENTITY = Identity(model="two layers", data="digits", seed=7, shards=12, batch=96)
SCHEDULE = Schedule(every=10, keep=2)


def state_at(step: int) -> dict[str, torch.Tensor]:
    """The state of a tiny job after this many steps: the model, the optimizer's momentum, the compression's error."""
    return {
        "model/weight": torch.full((2, 3), float(step)),
        "model/bias": torch.tensor([step + 0.5]),
        "optimizer/weight/momentum": torch.full((2, 3), -float(step)),
        "compression/error": torch.tensor([step], dtype=torch.int64),
    }


def opened(at: Disk, identity: Identity = IDENTITY, schedule: Schedule = SCHEDULE) -> Checkpoints:
    return Checkpoints(at, identity, schedule)


def write(checkpoints: Checkpoints, step: int, ranks: Sequence[str] = ("rank0", "rank1"), generation: int = 1) -> list[Shard]:
    """The parts of a checkpoint that is not committed yet."""
    tensors, world = state_at(step), len(ranks)
    return [checkpoints.write_shard(step, name, part_of(tensors, rank, world), generation) for rank, name in enumerate(ranks)]


def commit(checkpoints: Checkpoints, step: int, shards: Sequence[Shard], by: str = "coordinator", generation: int = 1) -> None:
    """Complete a checkpoint of these parts."""
    progress = msgspec.Raw(msgspec.json.encode({"ledger": step * IDENTITY.batch}))
    checkpoints.commit(step, by, shards, progress, generation=generation)


def save(checkpoints: Checkpoints, step: int, world: int = 2, generation: int = 1) -> None:
    shards = write(checkpoints, step, [f"rank{rank}" for rank in range(world)], generation)
    commit(checkpoints, step, shards, generation=generation)


def loaded(disk: Disk) -> int | None:
    """The step that is resumed with; fails if it comes with anything but that step's state."""
    found = opened(disk).newest()
    if found is None:
        return None
    wanted = state_at(found.step)
    assert found.tensors.keys() == wanted.keys()
    assert all(torch.equal(found.tensors[name], tensor) for name, tensor in wanted.items())
    assert msgspec.json.decode(found.progress) == {"ledger": found.step * IDENTITY.batch}
    return found.step


def in_memory(files: Mapping[str, bytes]) -> Disk:
    return Disk(MemoryFiles(files))


def damage(disk: Disk, name: str) -> None:
    """Flip the last bit of a file."""
    data = disk.read(name) or b""
    disk.replace(name, data[:-1] + bytes([data[-1] ^ 1]))


def content(disk: Disk) -> dict[str, bytes]:
    return {name: disk.read(name) or b"" for name in disk.names()}


def uncommitted(disk: Disk, step: int, ranks: tuple[str, ...] = ("rank0", "rank1"), generation: int = 1) -> list[Shard]:
    """The parts that these of two ranks write while the disk of any other is full; none if that is refused."""
    parts = {f"rank{rank}": part_of(state_at(step), rank, 2) for rank in range(2)}
    with suppress(StillNeeded):
        return [opened(disk).write_shard(step, name, parts[name], generation) for name in ranks]
    return []


class SlowFirst(Checkpoints):
    """Its first write waits until the test lets it continue."""

    def __init__(self, *settings: object) -> None:
        super().__init__(*settings)  # type: ignore[arg-type]
        self.go_on = threading.Event()

    def write_shard(self, step: int, by: str, tensors: Tensors, generation: int = 0) -> Shard:
        self.go_on.wait()
        return super().write_shard(step, by, tensors, generation)
