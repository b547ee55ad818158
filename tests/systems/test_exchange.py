"""Methods of exchange: all members get the same result, residuals are kept, and invalid options are refused."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given as drawn
from hypothesis import settings
from hypothesis import strategies as st

from harness.model.errors import UsageError
from harness.node.disk import Disk
from systems.parts.checkpoint.store import Checkpoints, Schedule, digest_of, part_of
from systems.training import Training
from systems.training.bugs import load
from systems.training.exchange import NAMES, Array, Combined, Layout, State, method, text_of
from systems.training.exchange.bf16 import rounded
from systems.training.known_bad.exchanges import AveragesEarly, ForgetsResidual, OwnUncompressed, SignsReversed
from systems.training.trainer import Trainer
from tests.helpers.effort import cases
from tests.helpers.exchanged import dealt, exchanged, given

LAYOUT = Layout(shapes=((12, 10), (10,), (3, 4, 5), ()), seed=3)
WITH_RESIDUAL = ("one-bit(block=16)", "top-k(share=0.1)", "powersgd(rank=1)")


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def rows_of(seed: int) -> Array:
    return np.random.default_rng(seed).standard_normal((12, LAYOUT.numbers + 1), dtype=np.float32)


def together(text: str, rows: Array, world: int, states: list[State] | None = None) -> list[Combined]:
    how = method(text)
    states = states or [State()] * world
    return exchanged([how.combine(given(rows, rank, world, LAYOUT, states[rank])) for rank in range(world)])


@drawn(name=st.sampled_from(NAMES), world=st.integers(1, 5), seed=st.integers(0, 99))
@settings(max_examples=cases(60), deadline=None)
def test_all_members_come_to_the_same_bits_and_the_loss_is_the_sum(name: str, world: int, seed: int) -> None:
    rows = rows_of(seed)
    combined = together(name, rows, world)
    assert len({each.total.tobytes() for each in combined}) == 1
    assert len({repr(sorted((key, array.tobytes()) for key, array in each.state.shared.items())) for each in combined}) == 1
    assert combined[0].total.shape == (LAYOUT.numbers + 1,)
    assert combined[0].total[-1] == pytest.approx(rows[:, -1].sum(), abs=1e-4 if name != "bf16" else 1e-2)


@pytest.mark.parametrize("name", ["exact", "allreduce", "bf16", "local-sgd", "top-k(share=1)"])
def test_a_method_that_leaves_nothing_out_comes_to_the_sum(name: str) -> None:
    rows = rows_of(1)
    tolerance = 0.05 if name == "bf16" else 1e-5
    assert together(name, rows, 3)[0].total == pytest.approx(rows.sum(axis=0), abs=tolerance)


@drawn(worlds=st.lists(st.integers(1, 6), min_size=2, max_size=3), seed=st.integers(0, 99))
@settings(max_examples=cases(20), deadline=None)
def test_the_exact_sum_does_not_depend_on_who_the_members_are(worlds: list[int], seed: int) -> None:
    assert len({together("exact", rows_of(seed), world)[0].total.tobytes() for world in worlds}) == 1


@drawn(text=st.sampled_from(WITH_RESIDUAL), world=st.integers(1, 4), steps=st.integers(1, 4), seed=st.integers(0, 99))
@settings(max_examples=cases(40), deadline=None)
def test_what_was_sent_and_what_is_left_over_are_the_gradients(text: str, world: int, steps: int, seed: int) -> None:
    """Error feedback: nothing is lost, only late."""
    states = [State()] * world
    sent, wanted = np.zeros(LAYOUT.numbers), np.zeros(LAYOUT.numbers)
    for step in range(steps):
        rows = rows_of(seed + step)
        combined = together(text, rows, world, states)
        states = [each.state for each in combined]
        sent += combined[0].total[:-1]
        wanted += rows[:, :-1].sum(axis=0)
    left = np.sum([state.private["residual"] for state in states], axis=0)
    assert sent + left == pytest.approx(wanted, abs=1e-3)


def test_a_step_that_is_done_again_begins_with_the_state_of_the_one_before() -> None:
    first = together("one-bit", rows_of(1), 2)
    states = [each.state for each in first]
    once = together("one-bit", rows_of(2), 2, states)
    again = together("one-bit", rows_of(2), 2, states)
    assert once[0].total.tobytes() == again[0].total.tobytes()


def test_a_product_of_thin_matrices_comes_to_a_gradient_of_low_rank() -> None:
    left, right = np.random.default_rng(1).standard_normal((2, 12, 1))
    rows = np.zeros((12, LAYOUT.numbers + 1), dtype=np.float32)
    rows[0, :120] = (left @ right[:10].T).reshape(-1)
    assert together("powersgd(rank=1)", rows, 3)[0].total[:120] == pytest.approx(rows[0, :120], abs=1e-5)


def test_outer_steps_have_momentum() -> None:
    rows = np.ones((12, LAYOUT.numbers + 1), dtype=np.float32)
    first = together("local-sgd(batches=2, momentum=0.5, rate=1)", rows, 2)
    second = together("local-sgd(batches=2, momentum=0.5, rate=1)", rows, 2, [each.state for each in first])
    assert first[0].total[:-1] == pytest.approx(12 * 1.5)
    assert second[0].total[:-1] == pytest.approx(12 * (1 + 0.5 * 1.5))


def test_cut_numbers_are_those_of_bfloat16() -> None:
    numbers = np.array([1.0, 1.0078125, 3.14159, -2e30], dtype=np.float32)
    cut = rounded(numbers)
    assert torch.from_numpy(cut).bfloat16().float().numpy().tolist() == cut.tolist()


# ---------------------------------------------------------------------------------------------------------------- trainers


@pytest.mark.slow
@pytest.mark.parametrize("text", ["powersgd", "one-bit", "local-sgd(batches=2, momentum=0.5)"])
def test_state_is_saved_sent_and_taken_up(text: str, tmp_path: Path) -> None:
    """A rank that is sent the state holds what is shared; one that resumes holds what was its own as well."""
    trainers = [trainer(text) for _ in range(2)]
    step(trainers)
    other = trainer(text)
    other.decode(trainers[0].encode())
    assert other.digest() == trainers[0].digest() == trainers[1].digest()
    assert not other.state.private
    checkpoints = Checkpoints(Disk(tmp_path), other.identity(), Schedule(every=1))
    shards = [
        checkpoints.write_shard(1, f"rank{rank}", part_of(each.tensors(), rank, 2) | each.private_tensors(f"rank{rank}"))
        for rank, each in enumerate(trainers)
    ]
    checkpoints.commit(1, "coordinator", shards, trainers[0].progress(), digest_of(trainers[0].tensors()))
    found = checkpoints.newest()
    assert found is not None
    other.resume(found, "rank1")
    own = trainers[1].state.private
    assert own.keys() == other.state.private.keys()
    assert all((other.state.private[name] == array).all() for name, array in own.items())
    assert other.digest() == trainers[1].digest()


@pytest.mark.parametrize("text", ["one-bit", "top-k", "powersgd", "local-sgd(batches=2)"])
def test_a_rank_that_is_set_back_to_the_state_of_another_begins_with_nothing_of_its_own(text: str) -> None:
    trainers = [trainer(text) for _ in range(2)]
    step(trainers)
    assert trainers[1].state.private
    trainers[1].decode(trainers[0].encode())
    assert not trainers[1].state.private


def test_a_round_of_local_steps_that_is_not_wanted_any_more_leaves_no_trace() -> None:
    alone = trainer("local-sgd(batches=3)")
    step([alone])
    before, private = alone.digest(), {name: array.copy() for name, array in alone.state.private.items()}
    begun: list[int] = []

    def before_each() -> None:
        begun.append(1)
        if len(begun) == 3:
            raise RuntimeError("not wanted")

    with pytest.raises(RuntimeError, match="not wanted"):
        alone.contribute(range(12), torch.zeros(12, alone.row), before_each=before_each)
    assert alone.digest() == before
    assert all((alone.state.private[name] == array).all() for name, array in private.items())


def trainer(text: str) -> Trainer:
    how = method(text)
    return load(how.trainer, Trainer)("digits", 1, "cpu", how)


def step(trainers: list[Trainer]) -> None:
    world = len(trainers)
    combining = []
    for rank, each in enumerate(trainers):
        part = torch.zeros(max(map(len, dealt(world))), each.row)
        each.contribute(dealt(world)[rank], part)
        combining.append(each.method.combine(each.given(part.numpy(), rank, dealt(world))))
    for each, combined in zip(trainers, exchanged(combining), strict=True):
        each.do(combined)


# -------------------------------------------------------------------------------------------------------------------- bugs


def test_known_bugs_do_what_they_say() -> None:
    rows = rows_of(5)
    how = method("one-bit(block=16)")
    first = together("one-bit(block=16)", rows, 2)
    states = [each.state for each in first]
    forgetful = ForgetsResidual(how)
    without = exchanged([forgetful.combine(given(rows, rank, 2, LAYOUT, states[rank])) for rank in range(2)])
    assert without[0].total.tobytes() == first[0].total.tobytes()
    assert together("one-bit(block=16)", rows, 2, states)[0].total.tobytes() != first[0].total.tobytes()
    reversed_ = exchanged([SignsReversed(how).combine(given(rows, rank, 2, LAYOUT)) for rank in range(2)])
    assert reversed_[0].total.tobytes() == reversed_[1].total.tobytes() != first[0].total.tobytes()
    for wrong in (OwnUncompressed(how), AveragesEarly(method("local-sgd"))):
        combined = exchanged([wrong.combine(given(rows, rank, 2, LAYOUT)) for rank in range(2)])
        assert combined[0].total.tobytes() != combined[1].total.tobytes()


# ---------------------------------------------------------------------------------------------------------------- settings


@pytest.mark.parametrize("name", NAMES)
def test_a_method_is_found_by_its_name_and_says_it(name: str) -> None:
    assert text_of(method(name)).partition("(")[0] == name
    assert method(text_of(method(name))) == method(name)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("one-bits", "there is no such method. Did you mean 'one-bit'"),
        ("", "there is no such method"),
        ("top-k(shares=0.1)", "top-k has no option 'shares=0.1'. Did you mean 'share'"),
        ("top-k(0.1)", "top-k has no option '0.1'"),
        ("top-k(share=2)", "a share is above 0 and at most 1"),
        ("powersgd(rank=1.5)", "rank=1.5 is no int"),
        ("powersgd(rank=0)", "at least 1"),
        ("one-bit(block=0)", "at least 1 number"),
        ("allreduce(block=8)", "It takes none"),
        ("local-sgd(momentum=1)", "momentum from 0 to below 1"),
    ],
)
def test_what_makes_no_sense_is_refused_before_the_start(text: str, told: str) -> None:
    with pytest.raises(UsageError, match="exchange=") as refused:
        Training(exchange=text)
    assert told in str(refused.value)


def test_an_audit_needs_the_gradients_of_shards() -> None:
    with pytest.raises(UsageError, match="Leave one of the two out"):
        Training(exchange="allreduce", audit_every=10)
