"""The thread that trains: what it does with a sum that a lost group agreed on, and how its checkpoints are reported."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import msgspec
import pytest
import torch

from harness.node.disk import Disk
from harness.node.journal import FILE, FileJournal
from systems.parts.checkpoint.manifest import Withdrawn
from systems.parts.checkpoint.store import Checkpoints, Schedule
from systems.parts.gloo.group import Ended, Group
from systems.training import exchange
from systems.training.exchange import Combined, State
from systems.training.guard import Guard, Named, Session
from systems.training.links import Links
from systems.training.messages import NO_STATE, Form, Written
from systems.training.records import Records, rows
from systems.training.trainer import Trainer
from systems.training.worker import Calls, Worker, _Agreed
from tests.helpers.checkpoints import SlowFirst
from tests.helpers.journals import journal_in

ALONE = cast(Group, SimpleNamespace(rank=0, world=1))


def worker_of(
    trainer: Trainer, folder: Path, checkpoints: Checkpoints | None = None, written: list[Written] | None = None
) -> Worker:
    """A worker without links to any other rank."""
    return Worker(
        "rank0",
        trainer=trainer,
        checkpoints=checkpoints or Checkpoints(Disk(folder / "checkpoints"), trainer.identity(), Schedule(every=20)),
        links=cast(Links, None),
        coordinators={},
        records=Records(FileJournal(folder / FILE), "rank0"),
        calls=Calls(
            stepped=lambda _: None,
            written=(written if written is not None else []).append,
            collective=lambda _: None,
            accused=lambda _: None,
        ),
        step_s=0,
    )


def do_a_step(trainer: Trainer) -> None:
    trainer.apply([torch.zeros(trainer.row)])


def form(generation: int) -> Form:
    return Form(generation=generation, members=("rank0",), coordinator="coordinator")


class Lost:
    """A group that loses a member before it has exchanged anything."""

    def exchange(self, numbers: list[int]) -> list[list[int]]:
        raise RuntimeError("Connection closed by peer")


class Another:
    """A group with another member, which says the same each time."""

    def __init__(self, *said: int) -> None:
        self._said = list(said)

    def exchange(self, numbers: list[int]) -> list[list[int]]:
        return [numbers, self._said]


class Alone:
    """A group of one member."""

    def exchange(self, numbers: list[int]) -> list[list[int]]:
        return [numbers]


def agreed(trainer: Trainer, generation: int) -> _Agreed:
    """A sum for the first step."""
    combined = Combined(total=torch.zeros(trainer.row).numpy(), state=State())
    return _Agreed(generation=generation, step=0, begun_ns=0, collective_ns=0, combined=combined)


def test_a_sum_that_all_held_is_applied_though_the_next_group_ends_before_it_is_settled(tmp_path: Path) -> None:
    trainer = Trainer("digits", 1, method=exchange.method("allreduce"))
    worker = worker_of(trainer, tmp_path)
    worker._has_state = True
    worker._agreed = agreed(trainer, 1)
    with pytest.raises(RuntimeError, match="closed by peer"):
        worker._settle(form(2), cast(Group, Lost()))
    worker._settle(form(3), cast(Group, Alone()))
    assert worker.step == 1
    worker._settle(form(4), cast(Group, Alone()))
    assert worker.step == 1, "it is applied once"


@pytest.mark.parametrize(
    ("other", "applied"),
    [
        ((0, 1), True),  # it holds the same sum
        ((0, 0), True),  # it holds none: a lost member may have applied this one
        ((0, 2), False),  # it holds the sum of a later group, of which a lost member may have applied that
        ((1, 0), False),  # it has done the step already, perhaps with another sum
    ],
)
def test_of_two_sums_for_a_step_only_the_later_one_is_applied(other: tuple[int, int], applied: bool, tmp_path: Path) -> None:
    trainer = Trainer("digits", 1, method=exchange.method("allreduce"))
    worker = worker_of(trainer, tmp_path)
    worker._has_state = True
    worker._agreed = agreed(trainer, 1)
    worker._settle(form(3), cast(Group, Another(*other)))
    assert worker.step == (1 if applied else 0)


class Judge:
    """A guard that names a member."""

    def __init__(self, rank: int, since: int | None) -> None:
        self._named = Named(frozenset([rank]), "x", since)

    def gather(self, session: Session, part: torch.Tensor, whole: torch.Tensor) -> None:
        raise self._named


@pytest.mark.parametrize(
    ("rank", "since", "step"),
    [
        (0, None, NO_STATE),  # its own memory changed
        (1, None, 1),
        (0, 1, 1),  # it computed a gradient wrongly, which was not applied
    ],
)
def test_a_rank_whose_memory_changed_drops_its_state_though_the_group_ends_before_a_coordinator_hears_of_it(
    rank: int, since: int | None, step: int, tmp_path: Path
) -> None:
    trainer = Trainer("digits", 1)
    worker = worker_of(trainer, tmp_path)
    worker._guard = cast(Guard, Judge(rank, since))
    worker._has_state = True
    do_a_step(trainer)
    worker._promised = 2  # a coordinator has asked it to leave
    two = msgspec.structs.replace(form(1), members=("rank0", "rank1"))
    with pytest.raises(Ended):
        worker._gather(two, ALONE, (range(12),), torch.empty(0), torch.empty(0))
    assert worker.step == step


def test_a_group_resumes_no_checkpoint_that_it_is_told_is_withdrawn(tmp_path: Path) -> None:
    trainer = Trainer("digits", 1)
    checkpoints = Checkpoints(Disk(tmp_path / "checkpoints"), trainer.identity(), Schedule(every=1))
    for step in (1, 2):
        do_a_step(trainer)
        shard = checkpoints.write_shard(step, "rank0", trainer.tensors(), 1)
        checkpoints.commit(step, "coordinator", [shard], trainer.progress(), generation=1)
    worker = worker_of(Trainer("digits", 1), tmp_path, checkpoints)
    spoilt = msgspec.structs.replace(form(2), withdrawn=(Withdrawn(generation=1, step=1),))
    worker._agree(spoilt, cast(Group, Alone()))
    assert worker.step == 1
    assert [one["kind"] for one in rows(journal_in(tmp_path)).events] == ["resumed"]


def test_a_group_begins_anew_if_the_only_trusted_checkpoint_has_made_way_for_a_spoilt_one(tmp_path: Path) -> None:
    trainer = Trainer("digits", 1)
    checkpoints = Checkpoints(Disk(tmp_path / "checkpoints"), trainer.identity(), Schedule(every=1, keep=1))
    for step in (1, 2, 3):
        do_a_step(trainer)
        shard = checkpoints.write_shard(step, "rank0", trainer.tensors(), 1)
        if step < 3:
            checkpoints.commit(step, "coordinator", [shard], trainer.progress(), generation=1)
    worker = worker_of(Trainer("digits", 1), tmp_path, checkpoints)
    worker._agree(msgspec.structs.replace(form(2), withdrawn=(Withdrawn(generation=1, step=1),)), cast(Group, Alone()))
    assert worker.step == 0
    assert [one["kind"] for one in rows(journal_in(tmp_path)).events] == ["checkpoint refused", "resumed"]


def test_a_save_that_takes_as_long_as_many_checkpoints_is_reported_and_the_next_one_is_done(tmp_path: Path) -> None:
    trainer, written = Trainer("digits", 1), list[Written]()
    checkpoints = SlowFirst(Disk(tmp_path / "checkpoints"), trainer.identity(), Schedule(every=1))
    worker = worker_of(trainer, tmp_path, checkpoints, written)
    for _ in range(12):
        do_a_step(trainer)
        worker._save(1, ALONE)
    checkpoints.go_on.set()
    assert worker._saver.wait(30)
    do_a_step(trainer)
    worker._save(2, ALONE)
    assert worker._saver.wait(30)
    assert [(one.generation, one.step) for one in written] == [(1, 1), (2, 13)]
    told = rows(journal_in(tmp_path)).events
    assert [one["kind"] for one in told] == ["not saved"] * 11, told
