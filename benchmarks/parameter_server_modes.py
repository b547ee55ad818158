"""The parameter server's modes in counted time: its own rules and real gradients, and workers of a speed that is given."""

from __future__ import annotations

import heapq
import itertools
import statistics
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import torch

from systems.parameter_server.bugs import CORRECT, Limits, Rules
from systems.parameter_server.parameters import at_batch, parameters_of, take_parameters, whole
from systems.parameter_server.protocol import Outcome, Round
from systems.parameter_server.updates import Task, Updates, Used
from systems.training.trainer import Trainer

_SHARD_S: Final = 0.01
_LOOK_S: Final = 0.001
_LAST: Final = 25
"""The loss is the mean over so many batches."""


@dataclass(frozen=True)
class Mode:
    """A mode of the parameter server."""

    name: str
    rounds: bool = True
    staleness: int | None = None
    backups: bool = True
    rate: float = 1.0
    """Times the model's own learning rate."""

    @property
    def rules(self) -> Rules:
        return CORRECT if self.backups else Rules(limits=Limits(overdue_s=1e9, slow=1e9))


@dataclass(frozen=True, kw_only=True)
class CameTo:
    """What a training came to."""

    loss: float
    quality: float
    behind: int
    """The 99th percentile of how many updates came between a gradient's parameters and its own."""
    batches: int


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
    mode: Mode, model: str, *, workers: int, slow: float, batches: int | None = None, until_ms: float | None = None
) -> CameTo:
    """Train with workers of which the first is so many times slower, for so many batches or so many counted milliseconds."""
    speeds = {f"worker{number}": slow if number == 1 else 1.0 for number in range(1, workers + 1)}
    limit_s = float("inf") if until_ms is None else until_ms / 1e3
    most = batches if batches is not None else 10**9
    return (_rounds if mode.rounds else _updates)(mode, model, speeds, most, limit_s)


def _rounds(mode: Mode, model: str, speeds: dict[str, float], batches: int, limit_s: float) -> CameTo:
    """One batch after another; a gradient is real and the same whoever computes it, so it is computed once."""
    trainer = _trainer(mode, model)
    rows = torch.empty(trainer.order.shards, trainer.row)
    losses: list[float] = []
    free_s = dict.fromkeys(speeds, 0.0)
    now_s = 0.0
    while trainer.step < batches:
        done_s = _round_done_s(mode, trainer, speeds, free_s, now_s)
        if done_s > limit_s:
            break
        now_s = done_s
        trainer.contribute(range(trainer.order.shards), rows)
        losses.append(trainer.apply(list(rows)).loss)
    return _came_to(trainer, losses, [0])


def _round_done_s(mode: Mode, trainer: Trainer, speeds: dict[str, float], free_s: dict[str, float], now_s: float) -> float:
    """When a step that begins now is done; `free_s` is when each worker comes back from what it has."""
    step: Round[None] = Round(
        step=trainer.step, shards=trainer.order.shards, workers=list(speeds), present=list(speeds), rules=mode.rules
    )
    events, tasks, seen = _Events(), dict[str, list[int]](), set[str]()
    for worker in speeds:
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
        events.at(at_s + (_SHARD_S * speeds[worker] if tasks[worker] else _LOOK_S), worker)


def _updates(mode: Mode, model: str, speeds: dict[str, float], batches: int, limit_s: float) -> CameTo:
    master, worker_trainer = _trainer(mode, model), Trainer(model, 1)
    shards = range(master.order.shards)
    updates = Updates(Used(), 0, bound=mode.staleness, rules=Rules(limits=Limits(gone_s=1e9)))
    rows = torch.empty(len(shards), master.row)
    events, tasks, held = _Events(), dict[str, tuple[Task, bytes]](), parameters_of(master)
    losses: list[float] = []
    behind: list[int] = []
    for worker in speeds:
        updates.hear(worker, 0)
        events.at(0.0, worker)
    while master.step < batches:
        now_s, worker = events.next()
        if now_s > limit_s:
            break
        if worker in tasks:
            task, parameters = tasks.pop(worker)
            if updates.push(worker, task, now_s) is Outcome.HELD:
                take_parameters(worker_trainer, parameters, at_batch(task.batch))
                worker_trainer.contribute(shards, rows)
                behind.append(master.step - task.version)
                losses.append(master.apply([whole(rows, master.row)], worker_trainer.uses(shards)).loss)
                held = parameters_of(master)
        given = updates.pull(worker, now_s)
        if given is not None:
            tasks[worker] = given, held
        events.at(now_s + (_LOOK_S if given is None else _SHARD_S * len(shards) * speeds[worker]), worker)
    return _came_to(master, losses, behind)


def _trainer(mode: Mode, model: str) -> Trainer:
    trainer = Trainer(model, 1)
    for group in trainer.optimizer.param_groups:
        group["lr"] *= mode.rate
    return trainer


def _came_to(trainer: Trainer, losses: list[float], behind: list[int]) -> CameTo:
    return CameTo(
        loss=statistics.fmean(losses[-_LAST:]),
        quality=trainer.quality()[1],
        behind=sorted(behind)[-(-99 * len(behind) // 100) - 1],
        batches=trainer.step,
    )
