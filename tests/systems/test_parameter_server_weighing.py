"""The weight of an update in the modes without rounds: with these rules a training learns, without them it does not."""

from __future__ import annotations

from collections import deque
from statistics import fmean

import pytest
import torch

from systems.parameter_server.bugs import BUGS, CORRECT, Rules
from systems.parameter_server.parameters import at_batch, parameters_of, take_parameters, whole
from systems.parameter_server.updates import parts_of
from systems.parameter_server.weighing import apply_update, update_trainer, weight
from systems.training.trainer import Trainer

WORKERS = 4


@pytest.mark.parametrize(("workers", "parts"), [(1, 1), (2, 2), (4, 4), (5, 4), (11, 6), (12, 12)])
def test_a_batch_is_split_into_one_equal_part_for_each_worker_or_fewer(workers: int, parts: int) -> None:
    assert parts_of(workers, 12) == parts


def test_a_part_of_a_batch_has_a_part_of_its_samples_in_the_same_order() -> None:
    whole_batch, part = Trainer("digits", 1), Trainer("digits", 1, parts=4)
    samples = [use.sample for use in whole_batch.uses(range(12))]
    parts = [use.sample for batch in range(4) for shard in range(3) for use in part.order.uses(batch, shard)]
    assert parts == samples


def test_an_update_weighs_less_the_staler_it_is_and_never_more_than_its_part() -> None:
    assert [weight(behind, 4) for behind in (0, 3, 7)] == [1 / 4, 1 / 4, 1 / 8]
    assert weight(7, 4, Rules(staleness_weighed=False)) == 1 / 4
    assert weight(7, 4, BUGS.variant("full-rate")) == 1


@pytest.mark.parametrize(("model", "rate"), [("digits", 0.5), ("text", 4e-3)])
def test_the_optimizer_has_no_momentum_and_moves_as_far(model: str, rate: float) -> None:
    trainer = update_trainer(Trainer, model, 1, 4)
    (group,) = trainer.optimizer.param_groups
    assert group["lr"] == pytest.approx(rate)
    assert group.get("momentum", 0.0) == 0
    assert group.get("betas", (0.0, 0.0))[0] == 0


def update(master: Trainer, worker: Trainer, parameters: bytes, batch: int, share: float) -> float:
    take_parameters(worker, parameters, at_batch(batch))
    shards = range(worker.order.shards)
    rows = torch.empty(len(shards), worker.row)
    worker.contribute(shards, rows)
    return apply_update(master, whole(rows, worker.row), worker.uses(shards), share).loss


def losses(rules: Rules, updates: int) -> list[float]:
    """The losses of workers that take turns, so that each gradient is as many updates old as there are other workers."""
    torch.set_num_threads(1)
    master, worker = update_trainer(Trainer, "digits", 1, WORKERS), Trainer("digits", 1, parts=WORKERS)
    held = deque([parameters_of(master)], maxlen=WORKERS)
    found = []
    for batch in range(updates):
        found.append(update(master, worker, held[0], batch, weight(len(held) - 1, WORKERS, rules)))
        held.append(parameters_of(master))
    return found


@pytest.mark.slow
def test_four_workers_learn_and_do_not_if_each_update_has_the_whole_rate() -> None:
    found = losses(CORRECT, 240)
    first, last = fmean(found[:20]), fmean(found[-20:])
    assert last < first / 2
    assert not fmean(losses(BUGS.variant("full-rate"), 240)[-20:]) < first / 2  # it may be no number


@pytest.mark.slow
def test_a_share_of_the_rate_is_that_updates_alone_and_a_training_that_is_resumed_goes_on_with_the_same_bits() -> None:
    torch.set_num_threads(1)
    trainers = [update_trainer(Trainer, "text", 1, WORKERS) for _ in range(2)]
    worker = Trainer("text", 1, parts=WORKERS)
    update(trainers[0], worker, parameters_of(trainers[0]), 0, 0.1)
    trainers[1].decode(trainers[0].encode())
    assert [trainer.optimizer.param_groups[0]["lr"] for trainer in trainers] == pytest.approx([4e-3, 4e-3])
    for trainer in trainers:
        update(trainer, worker, parameters_of(trainer), 1, 0.25)
    assert trainers[0].digest() == trainers[1].digest()
