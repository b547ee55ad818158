"""The parameter server's modes in counted time: its own rules and real gradients, but workers of a given speed."""

from __future__ import annotations

import heapq
import itertools
import random
import statistics
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import torch

from systems.parameter_server.bugs import BUGS, CORRECT, Limits, Rules
from systems.parameter_server.parameters import at_batch, parameters_of, take_parameters, whole
from systems.parameter_server.protocol import Outcome, Round
from systems.parameter_server.updates import Task, Updates, Used, parts_of
from systems.parameter_server.weighing import apply_update, update_trainer, weight
from systems.training.trainer import Trainer

_SHARD_S: Final = 0.01
_LOOK_S: Final = 0.001
_VARIES: Final = 0.2
"""A shard takes up to this share more or less than usual."""

_LAST: Final = 25
"""The loss is the mean over this many batches, the last ones."""


@dataclass(frozen=True)
class Mode:
    """A mode of the parameter server."""

    name: str
    rounds: bool = True
    staleness: int | None = None
    rules: Rules = CORRECT


MODES: Final = (
    Mode("synchronous"),
    Mode("synchronous, no backups", rules=Rules(limits=Limits(overdue_s=1e9, slow=1e9))),
    *(Mode(f"bounded, staleness {staleness}", rounds=False, staleness=staleness) for staleness in (1, 4, 16)),
    Mode("asynchronous", rounds=False),
    Mode("asynchronous, full rate", rounds=False, rules=BUGS.variant("full-rate")),
)


@dataclass(frozen=True, kw_only=True)
class CameTo:
    """The result of a training."""

    loss: float
    quality: float
    behind: int
    """The 99th percentile of how many other updates came between the parameters of a gradient and its own update."""
    batches: float
    """In batches of the model's size."""


@dataclass(frozen=True)
class _Speeds:
    """How long a worker takes for a shard, in counted seconds: about 10 ms, or `slow` times that for the first worker."""

    workers: int
    slow: float
    random: random.Random

    @property
    def names(self) -> list[str]:
        return [f"worker{number}" for number in range(1, self.workers + 1)]

    def shards_s(self, worker: str, shards: int = 1) -> float:
        times = self.slow if worker == self.names[0] else 1.0
        return sum(_SHARD_S * times * self.random.uniform(1 - _VARIES, 1 + _VARIES) for _ in range(shards))


@dataclass
class _Events:
    """What happens next, in counted seconds."""

    queue: list[tuple[float, int, str]] = field(default_factory=list)
    numbers: Iterator[int] = field(default_factory=itertools.count)

    def at(self, when_s: float, worker: str) -> None:
        heapq.heappush(self.queue, (when_s, next(self.numbers), worker))

    def next(self) -> tuple[float, str]:
        when_s, _, worker = heapq.heappop(self.queue)
        return when_s, worker


def train(
    mode: Mode,
    model: str,
    *,
    workers: int,
    slow: float,
    seed: int,
    batches: float = float("inf"),
    until_s: float = float("inf"),
) -> CameTo:
    """Train for this many batches or counted seconds, with workers of which the first is `slow` times slower."""
    speeds = _Speeds(workers, slow, random.Random(seed))
    return (_rounds if mode.rounds else _updates)(mode, model, speeds, seed, batches, until_s)


def _rounds(mode: Mode, model: str, speeds: _Speeds, seed: int, batches: float, until_s: float) -> CameTo:
    """One batch after another; gradients are real, but do not depend on the worker, so each is computed only once."""
    trainer = Trainer(model, seed)
    rows = torch.empty(trainer.order.shards, trainer.row)
    losses: list[float] = []
    free_s = dict.fromkeys(speeds.names, 0.0)
    now_s = 0.0
    while trainer.step < batches:
        now_s = _round_done_s(mode, trainer, speeds, free_s, now_s)
        if now_s > until_s:
            break
        trainer.contribute(range(trainer.order.shards), rows)
        losses.append(trainer.apply(list(rows)).loss)
    return _came_to(trainer, losses, [0], 1)


def _round_done_s(mode: Mode, trainer: Trainer, speeds: _Speeds, free_s: dict[str, float], now_s: float) -> float:
    """When a step that begins now will be done; `free_s` is when each worker is done with what it has."""
    names = speeds.names
    step: Round[None] = Round(step=trainer.step, shards=trainer.order.shards, workers=names, present=names, rules=mode.rules)
    events, tasks, seen = _Events(), dict[str, list[int]](), set[str]()
    for worker in names:
        events.at(max(now_s, free_s[worker]), worker)
    while True:
        at_s, worker = events.next()
        if tasks.get(worker):
            step.push(worker, step.step, tasks[worker].pop(0), None, now_s=at_s)
            if step.complete:
                free_s |= {other: when_s for when_s, _, other in events.queue if tasks.get(other)}
                return at_s
        if not tasks.get(worker):
            dealt = step.deal(worker, seen=worker in seen, now_s=at_s)
            seen.add(worker)
            tasks[worker] = list(dealt or ())
        events.at(at_s + (speeds.shards_s(worker) if tasks[worker] else _LOOK_S), worker)


def _updates(mode: Mode, model: str, speeds: _Speeds, seed: int, batches: float, until_s: float) -> CameTo:
    parts = parts_of(speeds.workers, Trainer(model, seed).order.shards)
    master, computing = update_trainer(Trainer, model, seed, parts), Trainer(model, seed, parts=parts)
    shards = range(master.order.shards)
    updates = Updates(Used(), 0, bound=mode.staleness, rules=Rules(limits=Limits(gone_s=1e9)))
    rows = torch.empty(len(shards), master.row)
    events, tasks, held = _Events(), dict[str, tuple[Task, bytes]](), parameters_of(master)
    losses: list[float] = []
    behind: list[int] = []
    for worker in speeds.names:
        updates.hear(worker, 0)
        events.at(0.0, worker)
    while master.step < batches * parts:
        now_s, worker = events.next()
        if now_s > until_s:
            break
        if worker in tasks:
            task, parameters = tasks.pop(worker)
            if updates.push(worker, task, now_s) is Outcome.HELD:
                take_parameters(computing, parameters, at_batch(task.batch))
                computing.contribute(shards, rows)
                behind.append(master.step - task.version)
                gradient = whole(rows, master.row)
                losses.append(
                    apply_update(master, gradient, computing.uses(shards), weight(behind[-1], parts, mode.rules)).loss
                )
                held = parameters_of(master)
        given = updates.pull(worker, now_s)
        if given is not None:
            tasks[worker] = given, held
        events.at(now_s + (_LOOK_S if given is None else speeds.shards_s(worker, len(shards))), worker)
    return _came_to(master, losses, behind, parts)


def _came_to(trainer: Trainer, losses: list[float], behind: list[int], parts: int) -> CameTo:
    return CameTo(
        loss=statistics.fmean(losses[-_LAST * parts :]),
        quality=trainer.quality()[1],
        behind=sorted(behind)[-(-99 * len(behind) // 100) - 1],
        batches=trainer.step / parts,
    )
