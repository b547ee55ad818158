"""The thread that trains: what it does with a sum that a lost group agreed on, and how its checkpoints are reported."""

from __future__ import annotations

import dataclasses
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
from systems.training.agreed import Agreed
from systems.training.calls import Calls
from systems.training.exchange import Combined, State
from systems.training.guard import Guard, Named, Session
from systems.training.links import Links
from systems.training.messages import NO_STATE, Accused, Form, Written
from systems.training.records import Records, rows
from systems.training.trainer import Trainer
from systems.training.worker import Worker
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
    """Two members; the other one holds a sum of the generation `said`, sends `sent`, and is lost before the exchange `lost`."""

    rank = 0

    def __init__(self, said: int, sent: bytes = b"", lost: int = 9) -> None:
        self._said = said
        self._left = lost
        self.sent = sent

    def exchange(self, numbers: list[int]) -> list[list[int]]:
        self._left -= 1
        if not self._left:
            raise RuntimeError("Connection closed by peer")
        return [numbers, [self._said]]

    def broadcast(self, data: bytes | None, source: int) -> bytes:
        if data is not None:
            self.sent = data
        return self.sent


class Alone:
    """A group of one member."""

    def exchange(self, numbers: list[int]) -> list[list[int]]:
        return [numbers]


def agreed(trainer: Trainer, generation: int) -> Agreed:
    """A sum for the first step."""
    combined = Combined(total=torch.zeros(trainer.row).numpy(), state=State())
    return Agreed(generation=generation, step=0, begun_ns=0, combined=combined)


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


@pytest.mark.parametrize("other", [0, 1])  # it holds none, or the same one
def test_a_sum_that_a_lost_member_may_have_applied_is_applied(other: int, tmp_path: Path) -> None:
    worker = worker_of(Trainer("digits", 1, method=exchange.method("allreduce")), tmp_path)
    worker._has_state = True
    worker._agreed = agreed(worker._trainer, 1)
    worker._settle(form(3), cast(Group, Another(other)))
    assert worker.step == 1


def holding(value: float, generation: int, folder: Path) -> Worker:
    """A worker with the same sum for the first step in each place."""
    trainer = Trainer("digits", 1, method=exchange.method("local-sgd(momentum=0.9)"))
    worker = worker_of(trainer, folder)
    worker._has_state = True
    total = torch.full((trainer.row,), value).numpy()
    combined = Combined(total=total, state=State(shared={"momentum": total}, private={"own": total}))
    worker._agreed = Agreed(generation=generation, step=0, combined=combined, begun_ns=0)
    return worker


def test_a_sum_is_applied_only_when_all_hold_it_and_then_stands_whoever_is_lost(tmp_path: Path) -> None:
    there, lost = holding(1.0, 4, tmp_path / "there"), Another(0, lost=2)
    with pytest.raises(RuntimeError, match="closed by peer"):
        there._settle(form(5), cast(Group, lost))
    assert there.step == 0, "the other one may not have got the sum"
    there._settle(form(6), cast(Group, Alone()))

    here = holding(2.0, 3, tmp_path / "here")  # of an earlier group
    with pytest.raises(RuntimeError, match="closed by peer"):
        here._settle(form(5), cast(Group, Another(4, lost.sent, lost=2)))
    assert here.step == 0, "nor may the one that sent it know that it has arrived"
    here._settle(form(7), cast(Group, Alone()))
    assert here.step == there.step == 1
    assert here._trainer.digest() == there._trainer.digest()
    assert not here._trainer.state.private


def test_a_sum_that_does_not_arrive_as_it_was_sent_is_not_held(tmp_path: Path) -> None:
    there, other = holding(1.0, 4, tmp_path / "there"), Another(0)
    there._settle(form(5), cast(Group, other))
    here = worker_of(Trainer("digits", 1, method=exchange.method("local-sgd")), tmp_path / "here")
    with pytest.raises(RuntimeError, match="did not arrive"):
        here._settle(form(5), cast(Group, Another(4, other.sent[:-1] + b"\1")))
    assert here._agreed is None


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


def test_a_wrong_member_is_accused_until_a_coordinator_is_there_to_hear_it(tmp_path: Path) -> None:
    worker, heard = worker_of(Trainer("digits", 1), tmp_path), list[Accused]()

    def accused(said: Accused) -> None:
        heard.append(said)
        if len(heard) == 3:  # the coordinator is back
            worker._promised = 2

    worker._calls = dataclasses.replace(worker._calls, accused=accused)
    worker._guard = cast(Guard, Judge(1, 1))
    two = msgspec.structs.replace(form(1), members=("rank0", "rank1"))
    with pytest.raises(Ended):
        worker._gather(two, ALONE, (range(12),), torch.empty(0), torch.empty(0))
    assert {said.names for said in heard} == {("rank1",)}


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
