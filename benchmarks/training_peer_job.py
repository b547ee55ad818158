"""What the peers of `training_recovery.py` train: the model, data, order and batch of `systems/training`, by rank and world.

Each process writes down what it does, a line of JSON each: when it started, each step that it has done, and the error that
ended it. Times are of the monotonic clock, so that the benchmark can compare them with those of its faults.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Literal

import msgspec
import torch

from systems.parts.checkpoint.store import digest_of
from systems.parts.sampler import Order, key, shards_of
from systems.training.models import task


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """What one process of a rank did at one moment."""

    kind: Literal["started", "step", "error"]
    rank: int
    attempt: int
    """0 for the rank's first process, 1 for the one that replaced it, and so on."""
    pid: int
    at_ns: int
    step: int = -1
    """The step that was done; -1 in a line of another kind."""
    digest: str = ""
    """A digest of the parameters after that step."""


class Journal:
    """One rank's lines, appended to those of its earlier processes. Each is written at once, so a kill loses none."""

    def __init__(self, folder: Path, rank: int, attempt: int) -> None:
        self._rank, self._attempt = rank, attempt
        self._file = os.open(folder / f"rank{rank}.jsonl", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def write(self, kind: Literal["started", "step", "error"], step: int = -1, digest: str = "") -> None:
        line = Line(
            kind=kind, rank=self._rank, attempt=self._attempt, pid=os.getpid(), at_ns=time.monotonic_ns(), step=step,
            digest=digest,
        )  # fmt: skip
        os.write(self._file, msgspec.json.encode(line) + b"\n")


class Journals:
    """What all ranks have written down so far. Each line is read only once, to leave the processors to the job."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read_bytes: dict[Path, int] = {}
        self._lines: list[Line] = []

    def lines(self) -> list[Line]:
        """All lines, by time."""
        for file in self._folder.glob("rank*.jsonl"):
            with file.open("rb") as opened:
                opened.seek(self._read_bytes.get(file, 0))
                whole = opened.read().rpartition(b"\n")[0]
            if whole:
                self._read_bytes[file] = self._read_bytes.get(file, 0) + len(whole) + 1
                self._lines += [msgspec.json.decode(line, type=Line) for line in whole.split(b"\n")]
        self._lines.sort(key=lambda line: line.at_ns)
        return self._lines


class Job:
    """The model, and the loss of a rank's part of a step's batch."""

    def __init__(self, model: str, seed: int) -> None:
        torch.set_num_threads(1)
        self._task = task(model)
        self._order = Order(samples=self._task.samples, batch=self._task.batch, shards=self._task.shards, seed=seed)
        torch.manual_seed(seed)
        self.model = self._task.model()
        self.optimizer = self._task.optimizer(self.model)

    def loss(self, model: torch.nn.Module, step: int, rank: int, world: int) -> torch.Tensor:
        """The loss of a rank's part, scaled so that the mean over the ranks is the batch's mean loss."""
        shards = shards_of(rank, world, self._order.shards)
        samples = [use.sample for shard in shards for use in self._order.uses(step, shard)]
        torch.manual_seed(key(self._order.seed, step, rank))
        return self._task.loss(model, samples) * world / self._order.batch

    def digest(self) -> str:
        """A digest of the parameters' bits."""
        return digest_of(dict(self.model.named_parameters()))


class Pace:
    """Lets a step begin no sooner than `step_s` after the one before."""

    def __init__(self, step_s: float) -> None:
        self._step_s = step_s
        self._next_s = time.monotonic()

    def wait(self) -> None:
        self._next_s = max(self._next_s + self._step_s, time.monotonic())
        time.sleep(max(0.0, self._next_s - time.monotonic()))
