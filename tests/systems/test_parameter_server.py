"""The parameter server as a system: its topology, what it refuses, and which parts of a trainer's state travel."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest
import torch

from harness.model.errors import UsageError
from harness.model.system import links_of
from harness.model.training_events import NotSaved, Saved
from harness.node.disk import Disk
from harness.node.journal import FILE, FileJournal
from systems.parameter_server import ParameterServer
from systems.parameter_server.bugs import CORRECT
from systems.parameter_server.messages import Damaged
from systems.parameter_server.parameters import parameters_of, row_bytes, rows_of, take_parameters
from systems.parameter_server.saving import Saving
from systems.parameter_server.term import Settings
from systems.parameter_server.updating import Progress, Updating
from systems.parameter_server.weighing import update_trainer
from systems.parts.checkpoint.refusals import NoValidCheckpoint
from systems.parts.checkpoint.store import Checkpoints, Schedule
from systems.training.records import Records, rows
from systems.training.trainer import Trainer
from tests.helpers.checkpoints import SlowFirst
from tests.helpers.journals import journal_in
from tests.helpers.lone_nodes import node_in


def test_workers_call_both_servers_and_servers_call_all_workers_and_each_other() -> None:
    links = {link.name for link in links_of(ParameterServer(workers=2))}
    assert links == {
        "client>worker1", "client>worker2",
        "master>standby", "master>worker1", "master>worker2",
        "standby>master", "standby>worker1", "standby>worker2",
        "worker1>master", "worker1>standby", "worker2>master", "worker2>standby",
    }  # fmt: skip


def test_faults_choose_among_the_workers() -> None:
    assert [node.name for node in ParameterServer(workers=2).nodes() if node.replica] == ["worker1", "worker2"]


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"workers": 0}, "1 to 12"),
        ({"workers": 13}, "split into 12 shards"),
        ({"model": "digit"}, "there is no such model. Did you mean 'digits'"),
        ({"mode": "asynchronos"}, "there is no such mode. Did you mean 'asynchronous'"),
        ({"mode": "bounded"}, "Give it staleness="),
        ({"mode": "bounded", "staleness": -1}, "how many clocks ahead, at least 0"),
        ({"staleness": 4}, "the synchronous mode has no bound. Leave staleness= out"),
        ({"mode": "asynchronous", "staleness": 4}, "the asynchronous mode has no bound"),
        ({"step_ms": -1.0}, "at least 0, 1 and 1"),
        ({"bug": "unfence"}, "No bug called 'unfence'. Did you mean 'unfenced'"),
    ],
)
def test_what_makes_no_sense_is_refused_before_the_start(settings: dict[str, object], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        ParameterServer(**settings)  # type: ignore[arg-type]


def test_gradients_at_parameters_that_were_sent_are_those_at_the_masters_own_bit_for_bit() -> None:
    master, worker = Trainer("digits", 1), Trainer("digits", 1)
    rows = torch.empty(12, master.row)
    for _ in range(2):
        take_parameters(worker, parameters_of(master), msgspec.Raw(bytes(master.progress())))
        assert worker.parameters_digest() == master.parameters_digest()
        for shard in (7, 0, 3, 11, 1, 2, 4, 5, 6, 8, 9, 10):  # in any order, one by one, as workers do
            one = torch.empty(1, worker.row)
            worker.contribute([shard], one)
            rows[shard] = rows_of(row_bytes(one), 1, master.row)[0]
        undisturbed = torch.empty(12, master.row)
        master.contribute(range(12), undisturbed)
        assert torch.equal(rows, undisturbed)
        master.apply(list(rows))


def test_gradients_of_another_length_are_refused() -> None:
    with pytest.raises(Damaged, match="24 bytes, not 32: 2 rows of 4 numbers"):
        rows_of(row_bytes(torch.zeros(2, 3)), 2, 4)


def do_a_step(trainer: Trainer) -> None:
    rows = torch.empty(trainer.order.shards, trainer.row)
    trainer.contribute(range(trainer.order.shards), rows)
    trainer.apply(list(rows))


def test_a_checkpoint_that_is_still_being_written_when_the_next_is_due_resumes_at_its_own_step(tmp_path: Path) -> None:
    trainer, told = Trainer("digits", 1), list[Saved | NotSaved]()
    checkpoints = SlowFirst(Disk(tmp_path), trainer.identity(), Schedule(every=1))
    saving = Saving(7, checkpoints, told.append, ThreadPoolExecutor(max_workers=1))
    do_a_step(trainer)
    digest = trainer.digest()
    saving.step_done(trainer, trainer.progress())
    do_a_step(trainer)
    saving.step_done(trainer, trainer.progress())
    checkpoints.go_on.set()
    saving.close()
    assert told == [
        NotSaved(generation=7, step=2, why="the save before it is not done yet"),
        Saved(generation=7, step=1),
    ]
    found, resumed = checkpoints.newest(), Trainer("digits", 1)
    assert found is not None
    resumed.resume(found)
    assert (resumed.step, resumed.digest()) == (1, digest)


def updates_saved(folder: Path, term: int, steps: int) -> Path:
    """Save a checkpoint of a term after `steps` updates; returns the file with its tensors."""
    trainer = update_trainer(Trainer, "digits", 1, 1)
    for _ in range(steps):
        do_a_step(trainer)
    root = folder / "shared" / f"checkpoints-{term}"
    checkpoints = Checkpoints(Disk(root), trainer.identity(), Schedule(every=1))
    state = trainer.ledger.state
    shard = checkpoints.write_shard(steps, "master", trainer.tensors())
    checkpoints.commit(steps, "master", [shard], msgspec.Raw(msgspec.json.encode(Progress(state.step, state.sha256))))
    return root / shard.name


def third_term(folder: Path) -> Updating:
    settings = Settings(
        name="standby", workers=("worker1",), model="digits", seed=1, step_s=0, checkpoint_every=1, checkpoints_kept=2,
        staleness=None, parts=1, rules=CORRECT,
    )  # fmt: skip
    node = node_in(folder, "standby", shared=lambda name: Disk(folder / "shared" / name))
    return Updating(3, settings, node, Records(FileJournal(folder / FILE), "standby"))


def test_a_term_whose_checkpoints_are_all_damaged_leaves_those_of_the_term_before(tmp_path: Path) -> None:
    older, newer = updates_saved(tmp_path, 1, 1), updates_saved(tmp_path, 2, 2)
    newer.write_bytes(newer.read_bytes()[:-1])
    third_term(tmp_path)
    kinds = [(one["kind"], msgspec.json.decode(str(one["detail"]))) for one in rows(journal_in(tmp_path)).events]
    [(_, refused), (_, resumed)] = kinds
    assert (refused["step"], refused["file"]) == (2, "checkpoints-2/every1-keep2-2-master.json")
    assert (resumed["step"], resumed["of_generation"]) == (1, 1)
    older.unlink()
    with pytest.raises(NoValidCheckpoint, match=r"None of 2 checkpoints .*checkpoints-2/.*checkpoints-1/"):
        third_term(tmp_path)
