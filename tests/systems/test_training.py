"""Training as a system: its topology, what it refuses, its records, and its control."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pytest
import torch

from harness.checkers.every_sample_once import every_sample_once
from harness.model.errors import UsageError
from harness.model.history import CONTROL, History
from harness.model.system import Journaled, System, Trained, links_of
from harness.model.training_events import Lost
from harness.node.disk import Disk
from harness.node.journal import FILE, FileJournal
from harness.run.training import trained, with_control
from systems.parts.sampler import Use
from systems.training import Training, control
from systems.training.links import host_of
from systems.training.records import Begun, Done, Records, read, rows
from tests.helpers.journals import journal_in
from torch_drills.addresses import dials


@pytest.fixture(autouse=True)
def _threads_as_before() -> Iterator[None]:
    """The control is made with one thread."""
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


# ------------------------------------------------------------------------------------------------------------ topology


def test_each_pair_of_ranks_has_one_link_that_the_lower_one_dials() -> None:
    links = {link.name for link in links_of(Training(ranks=3))}
    assert {"rank0>rank1", "rank0>rank2", "rank1>rank2"} <= links
    assert "rank1>rank0" not in links
    assert {f"rank{number}>coordinator" for number in range(3)} <= links
    assert {f"coordinator>rank{number}" for number in range(3)} <= links
    assert dials(host_of(0), host_of(1))
    assert dials(host_of(1), host_of(11))


def test_each_of_several_coordinators_has_a_link_to_each_other_and_with_each_rank() -> None:
    links = {link.name for link in links_of(Training(ranks=2, coordinators=3))}
    assert {"coordinator1>coordinator2", "coordinator2>coordinator1", "rank1>coordinator3", "coordinator3>rank1"} <= links
    assert not [name for name in links if "coordinator>" in name or name.endswith(">coordinator")]


def test_the_only_coordinator_leads() -> None:
    assert asyncio.run(Training().leader({})) == "coordinator"


def test_faults_choose_among_the_ranks() -> None:
    assert [node.name for node in Training(ranks=2).nodes() if node.replica] == ["rank0", "rank1"]


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"ranks": 0}, "1 to 12"),
        ({"ranks": 13}, "split into 12 shards"),
        ({"model": "digit"}, "there is no such model. Did you mean 'digits'"),
        ({"step_ms": -1.0}, "at least 0, 1 and 1"),
        ({"checkpoint_every": 0}, "at least 0, 1 and 1"),
        ({"coordinators": 2}, "an odd number"),
        ({"coordinators": 0}, "an odd number"),
        ({"audit_every": -1}, "audit_every=-1.: at least 0"),
        ({"bug": "old-divisors"}, "No bug called 'old-divisors'. Did you mean 'old-divisor'"),
    ],
)
def test_what_makes_no_sense_is_refused_before_the_start(settings: dict[str, object], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        Training(**settings)  # type: ignore[arg-type]


# ------------------------------------------------------------------------------------------------------------- records


def done(step: int, at_ns: int) -> Done:
    return Done(
        node="rank1", generation=2, step=step, begun_ns=5, at_ns=at_ns, collective_ns=7, stalled_ns=0,
        loss=1.5, gradient_norm=0.5, parameters="aa",
    )  # fmt: skip


def test_what_a_node_wrote_down_becomes_rows_of_the_history(tmp_path: Path) -> None:
    records = Records(FileJournal(tmp_path / FILE), "rank1")
    begun_ns = records.begun(2, 9, [Use(0, 12, 3, 9), Use(1, 4, 3, 9)])
    records.done(done(9, begun_ns + 10))
    records.begun(2, 10, [Use(1, 5, 3, 10)])
    records.event(Lost(generation=2, why="Connection closed by peer"))
    found = rows(journal_in(tmp_path))
    history = History.of([], steps=found.steps, events=found.events)
    assert history.steps["step"].tolist() == [9, 10]
    assert history.steps["samples"].tolist() == ["0:12 1:4", "1:5"]
    assert history.steps["done_ns"].isna().tolist() == [False, True]
    assert history.steps["parameters"].tolist()[0] == "aa"
    assert found.events[0]["kind"] == "lost"
    assert found.events[0]["detail"] == '{"generation":2,"why":"Connection closed by peer"}'


def test_records_of_a_node_that_started_again_follow_those_before_and_a_torn_end_is_left_out(tmp_path: Path) -> None:
    Records(FileJournal(tmp_path / FILE), "rank1").begun(1, 0, [])
    Records(FileJournal(tmp_path / FILE), "rank1").begun(2, 1, [])
    with (tmp_path / FILE).open("ab") as file:
        file.write(b'{"type":"happ')
    assert [record.generation for record in read(journal_in(tmp_path)) if isinstance(record, Begun)] == [1, 2]
    assert read(journal_in(tmp_path / "nobody")) == []


def test_a_step_that_a_node_does_again_in_the_same_generation_has_a_row_for_each_time(tmp_path: Path) -> None:
    records = Records(FileJournal(tmp_path / FILE), "rank1")
    for at_ns in (10, 20):
        records.begun(2, 9, [Use(0, 12, 3, 9)], at_ns=at_ns)
        records.done(done(9, at_ns + 5))
    records.done(done(9, 30))
    found = rows(journal_in(tmp_path))
    assert [(row["begun_ns"], row["done_ns"]) for row in found.steps] == [(10, 15), (20, 25), (20, 30)]
    control = {"node": CONTROL, "generation": 0, "step": 9, "parameters": "aa", "samples": "0:12"}
    earlier = [control | {"step": step, "samples": ""} for step in range(9)]
    verdict = every_sample_once(History.of([], steps=[*earlier, control, *found.steps]))
    assert verdict.valid is False
    assert "used more than once: 0:12" in verdict.why


def test_a_step_that_a_node_begins_again_before_it_has_done_it_has_one_row(tmp_path: Path) -> None:
    records = Records(FileJournal(tmp_path / FILE), "rank1")
    records.begun(2, 9, [], at_ns=10)
    records.begun(2, 9, [Use(0, 12, 3, 9)], at_ns=20)
    records.done(done(9, 25))
    assert [(row["begun_ns"], row["done_ns"], row["samples"]) for row in rows(journal_in(tmp_path)).steps] == [(10, 25, "0:12")]


@dataclass
class Recorded:
    """A system that trains, of which only what it wrote down matters."""

    log: Trained

    def trained(self, journals: Mapping[str, Journaled]) -> Trained:
        return self.log

    def steps_done(self, journals: Mapping[str, Journaled]) -> int:
        return 0

    def control(self, steps: int) -> list[dict[str, object]]:
        return [{"node": CONTROL, "generation": 0, "step": step, "parameters": "aa", "samples": ""} for step in range(steps)]


def recorded(*steps: dict[str, object]) -> Trained:
    """What comes into the history of a system whose log holds these steps, of a run that began at 1,000 ns."""
    system = Recorded(Trained(steps=list(steps), events=[]))
    return trained(cast(System, system), {}, 1000, time.monotonic_ns())


def test_times_count_from_the_start_and_what_is_later_than_the_look_is_left_out() -> None:
    later_ns = time.monotonic_ns() + 10**12
    step = {"node": "rank0", "generation": 1, "samples": "0:1", "parameters": "aa"}
    log = recorded(
        {**step, "step": 0, "begun_ns": 1500, "done_ns": 1700},
        {**step, "step": 1, "begun_ns": 1800, "done_ns": later_ns},
        {**step, "step": 2, "begun_ns": later_ns},
    )
    assert [(row["step"], row["begun_ns"], row.get("done_ns")) for row in log.steps] == [(0, 500, 700), (1, 800, None)]
    assert "parameters" not in log.steps[1]


def test_the_control_goes_as_far_as_the_ranks_have_come() -> None:
    row = {"node": "rank0", "generation": 1, "begun_ns": 1, "samples": "", "parameters": "aa"}
    history = History.of([], steps=[{**row, "step": 2, "done_ns": 2}, {**row, "step": 3}])
    system = cast(Training, Recorded(Trained(steps=[], events=[])))
    steps = with_control(system, history).steps
    assert steps["step"][steps["node"] == CONTROL].tolist() == [0, 1, 2]
    untrained = History.of([])
    assert with_control(system, untrained) is untrained


# ------------------------------------------------------------------------------------------------------------- control


def test_a_control_that_is_made_longer_is_the_one_that_is_made_at_once(tmp_path: Path) -> None:
    for steps in (2, 4):
        control.main(tmp_path / "twice", "digits", 1, "cpu", steps)
    control.main(tmp_path / "once", "digits", 1, "cpu", 4)
    made = [(tmp_path / name / "digests.json").read_bytes() for name in ("twice", "once")]
    assert made[0] == made[1]


def test_a_control_whose_state_is_damaged_is_made_anew(tmp_path: Path) -> None:
    control.main(tmp_path / "damaged", "digits", 1, "cpu", 2)
    state = tmp_path / "damaged" / "state"
    state.write_bytes(state.read_bytes()[:-1] + b"?")
    control.main(tmp_path / "damaged", "digits", 1, "cpu", 3)
    control.main(tmp_path / "once", "digits", 1, "cpu", 3)
    made = [(tmp_path / name / "digests.json").read_bytes() for name in ("damaged", "once")]
    assert made[0] == made[1]


def test_a_control_whose_digests_are_damaged_is_none(tmp_path: Path) -> None:
    for damaged in (b"{}", b'{"parameters": ["\xff"]}'):
        (tmp_path / "digests.json").write_bytes(damaged)
        assert control._read(Disk(tmp_path)) is None
