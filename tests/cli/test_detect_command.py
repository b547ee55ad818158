"""`harness detect` as a user sees it: caught, missed and unknown bugs, and how it resumes after a stop."""

from __future__ import annotations

import json
import signal
from collections import Counter
from pathlib import Path

import pytest

from tests.helpers.effort import left_to_ci
from tests.helpers.engine import harness, harness_running, nothing_left, write_drill

SYSTEM = '''
"""A parrot."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from tests.helpers.echo import Echo

from harness.model.bug import Bug, BugCatalog


@dataclass(frozen=True, kw_only=True)
class Parts:
    misbehave: str = "no"


DRILL = "parrot/asked"
BUGS = BugCatalog(
    Parts(),
    Bug("crashes", "n1 ends by itself", Parts(misbehave="crash"), caught_by=(DRILL, "nodes_stayed_up")),
    Bug("hidden", "nothing that anyone sees", Parts(misbehave="hide"), caught_by=(DRILL, "nodes_stayed_up")),
    Bug("absent", "n1 does not start", Parts(misbehave="not start"), caught_by=(DRILL, "nodes_stayed_up")),
)


@dataclass(frozen=True, kw_only=True)
class Parrot(Echo):
    """An echo with bugs."""

    bugs: ClassVar = BUGS
    bug: str | None = None

    def nodes(self):
        return Echo(replicas=self.replicas, misbehave=BUGS.variant(self.bug).misbehave, after_s=0.2).nodes()
'''
DRILL = (
    "from systems.parrot import Parrot\ndrill = Drill(system=Parrot(), workload=Numbers(), load=Load(rate=20, seconds=0.6))\n"
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "systems").mkdir()
    (tmp_path / "systems" / "parrot.py").write_text(SYSTEM)
    write_drill(tmp_path, "parrot/asked", DRILL)
    return tmp_path


def trials(folder: Path) -> list[tuple[str | None, int, str]]:
    """Every run that was logged: bug, seed, outcome."""
    [file] = folder.glob("runs/detect/*/trials.jsonl")
    found = [json.loads(line) for line in file.read_text().splitlines()]
    return [(trial["bug"], trial["seed"], trial["outcome"]) for trial in found]


@pytest.mark.slow
def test_what_is_caught_missed_and_unknown_is_told_apart_and_only_the_unknown_is_run_again(folder: Path) -> None:
    """Any run may be unknown, where other tests or programs leave it too little of the processors."""
    done = harness(folder, "detect", "parrot", "--json", "matrix.json")
    rows = {row["bug"]: row for row in json.loads((folder / "matrix.json").read_text())["rows"]}
    made = {bug: row["trials"][0] for bug, row in rows.items()}
    known = {None: "clean", "crashes": "caught", "hidden": "missed", "absent": "unknown"}
    for bug, outcome in known.items():
        crowded = (made[bug]["waited_share"] or 0) > 0.25 or "generator_kept_up" in made[bug]["why"]
        assert made[bug]["outcome"] == ("unknown" if crowded else outcome), made[bug]
        assert (made[bug]["run_dir"] is None) == (bug == "absent" or made[bug]["outcome"] in ("clean", "caught"))
    assert made["crashes"]["found"] == ["nodes_stayed_up"]
    assert "the run broke off: n1" in made["absent"]["why"].lower()
    assert done.returncode == (1 if made["hidden"]["outcome"] == "missed" else 4), done.stdout + done.stderr
    assert "4/4 " in done.stdout
    [page] = folder.glob("runs/detect/*/parrot.html")
    assert str(page.relative_to(folder)) in done.stdout
    assert nothing_left(folder)

    again = harness(folder, "detect", "PARROT", "--json", "-")
    assert {row["bug"] for row in json.loads(again.stdout)["rows"]} == set(known)
    assert again.returncode == done.returncode or "unknown" in {trial["outcome"] for trial in made.values()}
    counts = Counter(bug for bug, _, _ in trials(folder))
    assert {bug: counts[bug] for bug in made} == {bug: 1 + (trial["outcome"] == "unknown") for bug, trial in made.items()}


@pytest.mark.slow
def test_runs_of_other_code_are_not_used(folder: Path) -> None:
    harness(folder, "detect", "--bug", "crashes")
    (folder / "systems" / "parrot.py").write_text(SYSTEM + "# changed\n")
    done = harness(folder, "detect", "--bug", "crashes")
    assert "Ignoring 1 matrix from other code or another machine" in done.stdout
    assert len(list(folder.glob("runs/detect/*/trials.jsonl"))) == 2


@pytest.mark.slow
def test_an_interrupted_matrix_goes_on_where_it_stopped(folder: Path) -> None:
    with harness_running(folder, "detect", "parrot", "--seeds", "20", "--bug", "crashes") as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=60)
    assert "1/40 " in first
    assert process.returncode == 130, out
    assert f"Interrupted: {40 - len(trials(folder))} runs left." in out
    assert "Go on   harness detect parrot --seeds 20 --bug crashes" in out
    assert list(folder.glob("runs/detect/*/parrot-crashes.html"))
    assert nothing_left(folder)
    made = len(trials(folder))
    done = harness(folder, "detect", "parrot", "--seeds", "2", "--bug", "crashes")
    assert f"{made} of 4 runs exist already, from the same code on the same machine" in done.stdout
    assert {(bug, seed) for bug, seed, _ in trials(folder)} == {(bug, seed) for bug in (None, "crashes") for seed in (1, 2)}
    assert len(trials(folder)) > made


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["quorom"], "No system with known bugs called 'quorom'. Did you mean 'Quorum'?"),
        left_to_ci(["redis"], "No system with known bugs called 'redis'. "),
        left_to_ci(["quorum", "--bug", "red-one"], "No bug called 'red-one'. Did you mean 'read-one'?"),
        (["--seeds", "0"], "--seeds 0 leaves nothing to run. Add --simulate S"),
    ],
)
def test_what_makes_no_sense_is_said_in_a_line(tmp_path: Path, arguments: list[str], message: str) -> None:
    done = harness(tmp_path, "detect", *arguments)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert message in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("was", "now", "message"),
    [
        ('"parrot/asked"', '"parrot/askd"', "by the drill 'parrot/askd', which does not exist. Did you mean"),
        ('"nodes_stayed_up"', '"nodes_up"', "by 'nodes_up', which parrot/asked does not judge. "),
        ('"parrot/asked"', '"quorum/healthy"', "whose system is Quorum(bug=None). Name a drill of Parrot"),
        ("bug: str | None = None", "bug: str | None = 'hidden'", "whose system is Parrot(bug='hidden'). Name a drill"),
    ],
)
def test_a_bug_that_does_not_say_right_what_catches_it_is_refused(folder: Path, was: str, now: str, message: str) -> None:
    (folder / "systems" / "parrot.py").write_text(SYSTEM.replace(was, now))
    done = harness(folder, "detect", "parrot")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert message in done.stderr
