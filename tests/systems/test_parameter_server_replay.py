"""Replays: repeating the recorded updates gives the same parameters."""

from __future__ import annotations

import subprocess

import msgspec
import pytest
import torch

from harness.model.errors import HarnessError
from harness.model.history import History
from harness.model.training_events import Resumed
from systems.parameter_server.parameters import at_batch, parameters_of, take_parameters, whole
from systems.parameter_server.replay import Asked, Done, Lineage, Recorded, control, lineages, replayed, rows, standing
from systems.parameter_server.weighing import apply_update, update_trainer, weight
from systems.training.trainer import Trainer

PARTS = 3


def update(step: int, batch: int, computed_at: int, *, generation: int = 1, done: bool = True) -> dict[str, object]:
    return {
        "node": "master", "generation": generation, "step": step, "begun_ns": step, "done_ns": step if done else None,
        "batch": batch, "worker": "worker1", "computed_at": computed_at,
    }  # fmt: skip


def resumed(event: Resumed) -> dict[str, object]:
    detail = msgspec.json.encode(event).decode()
    return {"at_ns": event.generation, "node": "master", "kind": "resumed", "detail": detail}


def test_terms_are_read_with_what_they_went_on_from_and_only_what_the_last_one_rests_on_stands() -> None:
    steps = [update(0, 0, 0), update(1, 2, 0), update(2, 1, 1), update(1, 1, 1, generation=3), update(2, 2, 1, generation=3)]
    events = [resumed(Resumed(generation=1, step=0)), resumed(Resumed(generation=3, step=1, of_generation=1))]
    history = History.of([], events=events, steps=steps)
    terms = lineages(history)
    assert terms == [
        Lineage(term=1, updates=[Recorded(0, 0, 0), Recorded(1, 2, 0), Recorded(2, 1, 1)]),
        Lineage(term=3, parent=1, begins=1, updates=[Recorded(1, 1, 1), Recorded(2, 2, 1)]),
    ]
    assert standing(terms) == {0: 1, 1: 3, 2: 3}


def test_a_record_with_a_gap_is_read_up_to_it() -> None:
    assert lineages(History.of([], steps=[update(0, 0, 0), update(2, 1, 1)]))[0].updates == [Recorded(0, 0, 0)]
    assert standing(lineages(History.of([]))) == {}


def test_a_step_that_stands_has_the_loss_of_the_synchronous_training_after_as_many_samples() -> None:
    first = [Recorded(step, step, 0) for step in range(4)]
    terms = [Lineage(term=1, updates=first), Lineage(term=2, parent=1, begins=3, updates=[Recorded(3, 4, 3)])]
    done = Done(parameters={1: ["a", "b", "c", "d"], 2: ["e"]}, samples=["0:0", "0:1", "0:2", "0:3", "0:4"])
    found = {(row["generation"], row["step"]): row["loss"] for row in rows(terms, done, [2.0, 1.0], 2)}
    assert found == {(1, 0): 2.0, (1, 1): 2.0, (1, 2): 1.0, (1, 3): None, (2, 3): 1.0, (0, 4): None}


@pytest.fixture(scope="module")
def workers() -> tuple[Trainer, Trainer]:
    torch.set_num_threads(1)
    return update_trainer(Trainer, "digits", 1, PARTS), Trainer("digits", 1, parts=PARTS)


def test_updates_of_old_parameters_and_of_a_second_term_come_to_the_same_bits(workers: tuple[Trainer, Trainer]) -> None:
    master, worker = workers
    first = [Recorded(0, 0, 0), Recorded(1, 2, 0), Recorded(2, 1, 1)]
    second = [Recorded(1, 1, 1), *(Recorded(step, step, 1) for step in range(2, 6))]
    held, digests, state = {0: parameters_of(master)}, dict[int, list[str]](), b""
    for term, updates in ((1, first), (2, second)):
        if term == 2:
            master.decode(state)
        for one in updates:
            take_parameters(worker, held[one.computed_at], at_batch(one.batch))
            rows = torch.empty(4, worker.row)
            worker.contribute(range(4), rows)
            behind = weight(one.step - one.computed_at, PARTS)
            apply_update(master, whole(rows, worker.row), worker.uses(range(4)), behind)
            digests.setdefault(term, []).append(master.parameters_digest())
            held[master.step] = parameters_of(master)
            state = state or master.encode()
    asked = Asked(
        terms=[Lineage(term=1, updates=first), Lineage(term=2, parent=1, begins=1, updates=second)], batches=6, parts=PARTS
    )
    done = replayed(asked, "digits", 1)
    assert done.parameters == digests
    assert digests[1][1:] != digests[2]
    assert [len(samples.split()) for samples in done.samples] == [32] * 6


def test_an_update_of_parameters_that_there_were_not_is_where_it_ends() -> None:
    asked = Asked(terms=[Lineage(term=1, updates=[Recorded(0, 0, 1)])], batches=1, parts=PARTS)
    assert replayed(asked, "digits", 1).parameters == {1: []}


def two_updates(of_generation: int | None = None) -> History:
    steps = [update(0, 0, 0), update(1, 1, 0)]
    if of_generation is not None:
        steps += [update(2, 2, 2, generation=5)]
    return History.of([], steps=steps, events=[resumed(Resumed(generation=5, step=2, of_generation=of_generation))])


def test_a_process_that_has_pytorch_replays_by_itself_and_on_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*args: object, **kwargs: object) -> None:
        raise AssertionError("it began a process")

    asked = Asked(terms=[Lineage(term=1, updates=[Recorded(0, 0, 0), Recorded(1, 1, 0)])], batches=2, parts=PARTS)
    expected = replayed(asked, "dense(8)", 1)
    monkeypatch.setattr(subprocess, "run", refused)
    torch.set_num_threads(2)
    try:
        found = control(two_updates(), "dense(8)", 1, PARTS, lambda batches: [1.0] * batches)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(1)
    assert [row["parameters"] for row in found] == expected.parameters[1]


def test_a_record_that_cannot_be_replayed_is_an_error_of_the_harness() -> None:
    with pytest.raises(HarnessError, match="Cannot replay the updates of the training: KeyError"):
        control(two_updates(of_generation=4), "dense(8)", 1, PARTS, lambda batches: [1.0] * batches)
