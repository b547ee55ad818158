"""The arithmetic of training: the same bits however shards are distributed, and from any state that it resumes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.model.errors import UsageError
from harness.node.disk import Disk
from systems.parts.checkpoint.store import Checkpoints, Schedule, part_of
from systems.parts.sampler import key, shards_of
from systems.training.model_names import NAMES
from systems.training.models import task
from systems.training.trainer import Applied, Trainer
from tests.helpers.effort import cases, left_to_ci


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Two threads add in another order than one."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def step(trainers: list[Trainer]) -> Applied:
    """One step of a group of ranks, exchanged by hand."""
    shards, world = trainers[0].order.shards, len(trainers)
    parts = []
    for rank, trainer in enumerate(trainers):
        part = torch.zeros(-(-shards // world), trainer.row)
        trainer.contribute(shards_of(rank, world, shards), part)
        parts.append(part)
    applied = [trainer.apply([parts[shard % world][shard // world] for shard in range(shards)]) for trainer in trainers]
    assert all(other == applied[0] for other in applied)
    return applied[0]


def copied(trainer: Trainer) -> Trainer:
    """What another rank holds that was sent the state."""
    other = Trainer("digits", 1)
    other.decode(trainer.encode())
    return other


@given(worlds=st.lists(st.integers(1, 5), min_size=2, max_size=4))
@settings(max_examples=cases(5), deadline=None)
def test_the_parameters_do_not_depend_on_who_computed_what(worlds: list[int]) -> None:
    alone, first = Trainer("digits", 1), Trainer("digits", 1)
    for world in worlds:
        group = [first, *(copied(first) for _ in range(world - 1))]
        step(group)
        step([alone])
        assert {trainer.parameters_digest() for trainer in group} == {alone.parameters_digest()}
        assert {trainer.digest() for trainer in group} == {alone.digest()}
        first = group[-1]


@pytest.mark.parametrize("model", [left_to_ci(name) if name == "text" else name for name in NAMES])
def test_resumes_from_a_checkpoint_at_exactly_the_next_step(tmp_path: Path, model: str) -> None:
    trainer = Trainer(model, 1)
    for _ in range(3):
        step([trainer])
    checkpoints = Checkpoints(Disk(tmp_path), trainer.identity(), Schedule(every=3))
    shards = [checkpoints.write_shard(3, f"rank{rank}", part_of(trainer.tensors(), rank, 2)) for rank in range(2)]
    checkpoints.commit(3, "coordinator", shards, trainer.progress())
    found = checkpoints.newest()
    assert found is not None
    resumed = Trainer(model, 1)
    resumed.resume(found)
    assert resumed.step == 3
    assert resumed.digest() == trainer.digest()
    step([resumed])
    step([trainer])
    assert resumed.digest() == trainer.digest()


def test_a_step_that_is_not_wanted_any_more_ends_before_the_next_shard() -> None:
    trainer, begun = Trainer("digits", 1), list[int]()

    def before_each() -> None:
        begun.append(len(begun))
        if len(begun) == 3:
            raise RuntimeError("not wanted")

    part = torch.zeros(12, trainer.row)
    with pytest.raises(RuntimeError, match="not wanted"):
        trainer.contribute(range(12), part, before_each=before_each)
    assert [bool(row.any()) for row in part[:4]] == [True, True, False, False]
    assert trainer.step == 0


def test_digests_tell_apart_what_differs_in_one_bit_of_parameters_or_momentum() -> None:
    trainer = Trainer("digits", 1)
    step([trainer])
    parameters, whole = trainer.parameters_digest(), trainer.digest()
    tensors = trainer.tensors()
    momentum = next(tensor for name, tensor in tensors.items() if name.startswith("optimizer/"))
    momentum.view(torch.int32).view(-1)[0] ^= 1
    assert trainer.parameters_digest() == parameters
    assert trainer.digest() != whole
    tensors["model/0.bias"].view(torch.int32)[0] ^= 1
    assert trainer.parameters_digest() != parameters


def test_seeds_and_models_are_jobs_of_their_own() -> None:
    identities = [Trainer("digits", 1).identity(), Trainer("digits", 2).identity(), Trainer("text", 1).identity()]
    assert len(set(identities)) == 3
    assert Trainer("digits", 1).identity() == identities[0]


def test_a_model_may_come_in_sizes() -> None:
    small, usual = Trainer("dense(69)", 1), Trainer("dense", 1)
    assert (small.row, usual.row) == (10_015 + 1, 100_327 + 1)
    assert small.identity() != usual.identity()
    step([small])
    assert small.step == 1


@pytest.mark.parametrize("text", ["digits(3)", "text(64)"])
def test_a_size_of_a_model_that_has_none_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="comes in one size"):
        Trainer(text, 1)


@pytest.mark.parametrize("text", ["dense(", "dense(x)", "dense(0)", "dense()", "dense(-1)"])
def test_a_size_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="a size is a whole number above 0"):
        Trainer(text, 1)


def test_a_model_that_is_not_there_is_named() -> None:
    with pytest.raises(UsageError, match="model='digit': there is no such model"):
        Trainer("digit", 1)


@pytest.mark.parametrize(
    ("model", "steps", "at_least", "at_most"),
    [
        ("digits", 100, 0.92, 1.0),
        left_to_ci("digits", 300, 0.97, 1.0),
        pytest.param("digits", 600, 0.98, 1.0, marks=pytest.mark.nightly),
        pytest.param("text", 800, 1.0, 2.2, marks=pytest.mark.nightly),
    ],
)
def test_models_learn(model: str, steps: int, at_least: float, at_most: float) -> None:
    """Whole batches, so that it takes seconds; characters counted in pairs would give 2.46 nats."""
    wanted = task(model)
    torch.default_generator.manual_seed(0)
    net = wanted.model()
    optimizer = wanted.optimizer(net)
    order = Trainer(model, 1).order
    for number in range(steps):
        torch.default_generator.manual_seed(key(1, number, 0))
        samples = [use.sample for shard in range(order.shards) for use in order.uses(number, shard)]
        optimizer.zero_grad()
        torch.autograd.backward(wanted.loss(net, samples) / wanted.batch)
        optimizer.step()
    assert at_least <= wanted.quality(net)[1] <= at_most


def test_tells_of_all_that_it_computes_and_keeps_and_a_bit_that_flips_there_is_in_the_gradient() -> None:
    told: list[str] = []

    def computed(name: str, contents: Sequence[memoryview]) -> None:
        told.append(name)
        if name == flips and told.count(name) == (10 if name == "activation" else 1):  # the last layer
            contents[-1][-1] ^= 0x40

    right, part = torch.zeros(2, Trainer("digits", 1).row), torch.zeros(2, Trainer("digits", 1).row)
    Trainer("digits", 1).contribute(range(2), right)
    for flips in ("nothing", "gradient", "activation", "parameters"):
        told.clear()
        trainer = Trainer("digits", 1)
        trainer.tell(computed, lambda: True)
        trainer.keeps()
        trainer.contribute(range(2), part)
        assert [told.count(name) for name in ("gradient", "parameters", "optimizer")] == [2, 1, 1]
        assert told.count("activation") > 10
        assert torch.equal(part[0], right[0]) == (flips == "nothing")
        assert torch.equal(part[1], right[1]) == (flips != "parameters")
