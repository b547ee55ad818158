"""Schedules as files: written and read exactly, replayed with any seed, refused if they do not fit."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faults.crash_loop import CrashLoop
from faults.kill import Kill
from faults.kill_at import KillAt
from faults.latency import Latency
from faults.majority_ring import MajorityRing
from faults.partition import Isolate, Partition
from faults.pause import Pause
from harness.model.composition import PoissonFaults, RandomFaults
from harness.model.drill import Drill
from harness.model.errors import UsageError
from harness.model.evidence import Evidence, Targets
from harness.model.fault import Aim, Composition, Fault, Window
from harness.model.load import Load
from harness.model.system import links_of
from harness.run.schedule import PlannedWindow, plan
from harness.run.schedule_file import SCHEDULE, encode, read
from tests.helpers.echo import Echo, Led, Numbers
from tests.helpers.engine import harness, run_drill, write_drill

LOAD_S = 20


def drill(*faults: Composition, system: Echo | None = None) -> Drill:
    return Drill(system=system or Led(replicas=5), workload=Numbers(), load=Load(rate=50, seconds=LOAD_S), faults=faults)


selectors = st.sampled_from(["one", "minority", "half", "majority", "all", "leader", "n1", "n5"])
link_selectors = selectors | st.sampled_from([link.name for link in links_of(Led(replicas=5))])
numbers = st.floats(1, 1000) | st.integers(1, 1000)
any_fault = st.one_of(
    st.builds(Kill, selectors),
    st.builds(Pause, selectors),
    st.builds(CrashLoop, selectors, every_s=numbers),
    st.builds(
        KillAt, selectors, event=st.text(st.characters(codec="utf-8", categories=["L", "N"])), occurrence=st.integers(1, 9)
    ),
    st.builds(Isolate, link_selectors),
    st.builds(Partition, link_selectors, direction=st.sampled_from(["both", "in", "out"])),
    st.builds(Latency, link_selectors, delay_ms=numbers),
    st.just(MajorityRing()),
)


@st.composite
def windows(draw: st.DrawFn) -> Window:
    fault, from_s = draw(any_fault), draw(st.floats(0, LOAD_S - 0.01))
    to_s = draw(st.floats(from_s, LOAD_S, exclude_min=True))
    return Window(fault=fault, from_s=from_s, to_s=to_s, follows=fault.target == "leader" and draw(st.booleans()))


@settings(deadline=None)  # the machine may be busy
@given(st.lists(windows(), max_size=6), st.integers(0, 2**31))
def test_what_is_written_is_read_back_exactly(
    tmp_path_factory: pytest.TempPathFactory, faults: list[Window], seed: int
) -> None:
    planned = plan(drill(*faults), seed)
    file = tmp_path_factory.mktemp("schedules") / SCHEDULE
    file.write_bytes(encode(planned, "test/drill", seed))
    assert read(file, drill()) == tuple(planned)
    assert read(file.parent, drill()) == tuple(planned)


def test_file_says_where_it_comes_from_and_what_each_target_came_to(tmp_path: Path) -> None:
    [planned] = plan(drill(Partition("one", direction="in").between(1, 2.5), system=Led(replicas=2)), 3)
    assert json.loads(encode([planned], "test/drill", 3)) == {
        "version": 1,
        "drill": "test/drill",
        "seed": 3,
        "windows": [
            {
                "label": "w0",
                "fault": {"type": "faults.partition:Partition", "fields": {"target": "one", "direction": "in"}},
                "from_s": 1,
                "to_s": 2.5,
                "follows": False,
                "nodes": list(planned.targets.nodes) if planned.targets else None,
                "links": ["client>n1", "n1>n2", "n2>n1"] if planned.targets and planned.targets.nodes == ("n1",) else
                ["client>n2", "n1>n2", "n2>n1"],
            }
        ],
    }  # fmt: skip


@dataclass(frozen=True)
class OfTheDrill(Fault):
    """A fault that no folder of faults has."""

    aims_at: ClassVar[Aim] = "nodes"

    async def inject(self, cluster: object, targets: Targets) -> Evidence:
        return Evidence(acted=True, text="")

    async def heal(self, cluster: object, targets: Targets, injected: Evidence) -> Evidence:
        return injected


def test_a_drill_may_bring_its_own_faults(tmp_path: Path) -> None:
    mine = drill(OfTheDrill("one").between(1, 2))
    file = tmp_path / "mine.json"
    planned = plan(mine, 1)
    file.write_bytes(encode(planned, "test/drill", 1))
    assert read(file, mine) == tuple(planned)
    with pytest.raises(UsageError, match=r"window 'w0': there is no fault '.*:OfTheDrill' here\. See `harness list`"):
        read(file, drill())


# ----------------------------------------------------------------------------------------------------- what does not fit


def written(folder: Path, *planned: PlannedWindow, **changes: object) -> Path:
    """A schedule file, its first window changed."""
    content = json.loads(encode(planned or plan(drill(Isolate("n1").between(1, 2)), 1), "test/drill", 1))
    content["windows"][0] |= changes
    file = folder / "changed.json"
    file.write_text(json.dumps(content))
    return file


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"nodes": ["n9"]}, "window 'w0': Led has no n9; its nodes are n1, n2, n3, n4, n5. Use a schedule of this drill"),
        ({"links": ["n1>n9", "client>n1"]}, "Led has no n1>n9; its nodes are"),
        ({"nodes": None}, "does not say which nodes and links 'n1' stands for"),
        ({"to_s": 30}, "it ends at 30 s, after the load stops at 20 s. Raise load.seconds"),
        ({"to_s": 0.5}, "needs 0 <= from_s < to_s"),
        ({"follows": True}, "only a fault on 'leader' can follow it"),
        ({"fault": {"type": "os:system", "fields": {"target": "n1"}}}, "there is no fault 'os:system' here"),
        ({"fault": {"type": "faults.kill:Kill", "fields": {}}}, "Kill does not take these fields: .*`target`"),
        ({"fault": {"type": "faults.kill:Kill", "fields": {"target": "n7"}}}, "No node or link called 'n7'"),
        ({"fault": {"type": "faults.kill:Kill", "fields": {"target": "n1>n2"}}}, "is a link; this fault acts on processes"),
        (
            {"fault": {"type": "faults.latency:Latency", "fields": {"target": "n1", "delay_ms": -1}}},
            "needs 1 <= delay_ms",
        ),
        ({"fault": {"type": "faults.latency:Latency", "fields": {"target": "n1", "delay_ms": "x"}}}, "Expected `float`"),
        ({"colour": "red"}, "not a schedule: .*`colour`"),
        ({"from_s": "soon"}, "not a schedule: Expected `float`"),
    ],
)
def test_a_schedule_that_does_not_fit_is_refused_in_one_line(tmp_path: Path, changes: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message) as refused:
        read(written(tmp_path, **changes), drill())
    assert "\n" not in str(refused.value)


def test_what_is_no_schedule_at_all_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "x.json"
    for text, message in (
        (b"", "is not a schedule"),
        (b"[]", "is not a schedule"),
        (b"\xff{", "is not a schedule"),
        (b'{"version": 2, "other": 1}', "of version 2; this harness reads version 1"),
        (b'{"version": 1}', "is not a schedule: .*drill"),
    ):
        file.write_bytes(text)
        with pytest.raises(UsageError, match=message):
            read(file, drill())
    for path in (tmp_path / "nowhere.json", tmp_path):
        with pytest.raises(UsageError, match=r"Cannot read the schedule .*Name a schedule file or a run's folder"):
            read(path, drill())
    twice = plan(drill(Kill("n1").between(1, 2)), 1) * 2
    with pytest.raises(UsageError, match="more than one window has this label"):
        read(written(tmp_path, *twice), drill())


def test_a_leader_is_looked_for_again_and_only_by_a_system_that_has_one(tmp_path: Path) -> None:
    planned = plan(drill(Kill("leader").following(1, 2)), 1)
    file = written(tmp_path, *planned)
    assert read(file, drill()) == tuple(planned)
    with pytest.raises(UsageError, match="cannot say who leads"):
        read(file, drill(system=Echo(replicas=5)))


# ------------------------------------------------------------------------------------------------------------- replayed

RANDOM_DRILL = """
drill = Drill(
    system=Echo(replicas=3), workload=Numbers(), load=Load(rate=50, seconds=2),
    faults=[
        RandomFaults(faults=(Pause("one"), Isolate("one")), windows=2, from_s=0.1, to_s=1.9, shortest_s=0.3, longest_s=0.6)
    ],
)
"""


@pytest.mark.slow
def test_a_run_is_replayed_from_its_folder_with_another_seed(tmp_path: Path) -> None:
    write_drill(tmp_path, "random", RANDOM_DRILL)
    first = harness(tmp_path, "drill", "random", "--seed", "1", "--json", "first.json")
    assert first.returncode in (0, 4), first.stderr
    [folder] = (tmp_path / "runs" / "random").iterdir()
    again = harness(tmp_path, "drill", "random", "--seed", "2", "--schedule", str(folder), "--json", "again.json")
    assert again.returncode in (0, 4), again.stderr
    results = [json.loads((tmp_path / name).read_text())["results"][0] for name in ("first.json", "again.json")]
    planned = [
        [(fault["kind"], fault["label"], fault["targets"], fault["from_s"], fault["to_s"]) for fault in result["faults"]]
        for result in results
    ]
    assert planned[0] == planned[1]
    rerun = results[1]["rerun"]
    assert shlex.split(rerun) == ["harness", "drill", "random", "--seed", "2", "--schedule", str(folder)]
    copies = [next((tmp_path / "runs" / "random").glob(f"*-{seed}")) / SCHEDULE for seed in (1, 2)]
    assert json.loads(copies[0].read_text())["windows"] == json.loads(copies[1].read_text())["windows"]


@pytest.mark.slow
def test_an_empty_schedule_is_a_run_without_faults(tmp_path: Path) -> None:
    write_drill(tmp_path, "random", RANDOM_DRILL)
    (tmp_path / "none.json").write_bytes(encode([], "random", 1))
    done = harness(tmp_path, "drill", "random", "--schedule", "none.json", "--json", "out.json")
    assert done.returncode in (0, 4), done.stderr
    assert json.loads((tmp_path / "out.json").read_text())["results"][0]["faults"] == []


@pytest.mark.slow
def test_bad_schedules_end_with_exit_code_2_and_one_line(tmp_path: Path) -> None:
    write_drill(tmp_path, "random", RANDOM_DRILL)
    written(tmp_path, nodes=["n4"])
    for arguments, message in (
        (["random", "--schedule", "changed.json"], "error: changed.json, window 'w0': Echo has no n4"),
        (["random", "--schedule", "nowhere"], "error: Cannot read the schedule nowhere: No such file or directory."),
        (["random", "random", "--schedule", "changed.json"], "error: --schedule changed.json is for one drill; 2 are named."),
    ):
        done = harness(tmp_path, "drill", *arguments)
        assert (done.returncode, done.stderr.count("\n")) == (2, 1)
        assert done.stderr.startswith(message)
        assert not (tmp_path / "runs").exists()


def test_every_composition_lands_in_the_file(tmp_path: Path) -> None:
    mixed = drill(
        RandomFaults(faults=(Kill("one"),), windows=2, from_s=1, to_s=9),
        PoissonFaults(per_minute={Latency("one"): 20}, quiet_s=1),
        Pause("one").flapping(10, 19, on_s=1, off_s=1),
    )
    planned = plan(mixed, 5)
    (tmp_path / SCHEDULE).write_bytes(encode(planned, "x", 5))
    assert read(tmp_path, mixed) == tuple(planned)
    assert len(planned) >= 8


@pytest.mark.slow
def test_the_file_is_written_before_the_run_and_complete(tmp_path: Path) -> None:
    quick = Drill(
        system=Echo(replicas=3), workload=Numbers(), load=Load(rate=50, seconds=1), faults=[Pause("one").between(0.2, 0.8)]
    )
    done = run_drill(quick, tmp_path, seed=4)
    assert read(done.run_dir, quick) == tuple(plan(quick, 4))
