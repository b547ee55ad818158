"""`harness simulate` as a user sees it: seeds that hold, the first failing seed, its replay, and what cannot be simulated."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.model.seeds import SIMULATION_HASH_SEED
from tests.helpers.effort import left_to_ci
from tests.helpers.engine import harness, write_drill

ALREADY = str(SIMULATION_HASH_SEED)
"""With this, the command need not start again."""


@pytest.mark.slow
def test_seeds_that_hold_are_one_line_and_code_0(tmp_path: Path) -> None:
    done = harness(tmp_path, "simulate", "quorum/isolated", "--seeds", "2", "--jobs", "1", "--json", "out.json")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("✔ quorum/isolated: 2 seeds held, ")
    [summary] = json.loads((tmp_path / "out.json").read_text())
    assert (summary["seeds"], summary["held"], summary["unknown"], summary["verdict"]) == (2, 2, 0, "pass")
    assert summary["failed"] == []


JUDGED_SO = """
from harness.model.verdict import Verdict

def as_told(history):
    return Verdict(valid={valid}, why="so it is told")

drill = Drill(system=Echo(replicas=2), workload=Numbers(), load=Load(rate=20, seconds=0.5), checks=[as_told])
"""


@pytest.mark.slow
def test_a_seed_that_is_unknown_did_not_hold_and_one_that_failed_outweighs_it(tmp_path: Path) -> None:
    write_drill(tmp_path, "told/wrong", JUDGED_SO.format(valid=False))
    write_drill(tmp_path, "told/unknown", JUDGED_SO.format(valid=None))
    unknown = harness(tmp_path, "simulate", "told/unknown", "--seeds", "2", "--jobs", "1")
    assert unknown.returncode == 4, unknown.stderr
    assert "? told/unknown: of 2 seeds 0 held, 2 are unknown, " in unknown.stdout
    assert harness(tmp_path, "simulate", "told/wrong", "told/unknown", "--seed", "1").returncode == 1
    [chart] = (tmp_path / "runs" / "told" / "unknown").glob("*/messages.html")
    assert "as_told: so it is told" in chart.read_text()
    assert "every check held" not in chart.read_text()


ASKS_THE_CLOCK = """
from tests.helpers.wayward import Wayward

drill = Drill(system=Wayward(does="clock"), workload=Numbers(), load=Load(rate=20, seconds=0.5))
"""


def test_a_seed_that_cannot_be_judged_is_unknown_and_does_not_keep_the_next_drill_from_being_looked_at(tmp_path: Path) -> None:
    write_drill(tmp_path, "told/broken", ASKS_THE_CLOCK)
    write_drill(tmp_path, "told/right", JUDGED_SO.format(valid=True))
    done = harness(tmp_path, "simulate", "told/broken", "told/right", "--seed", "1", PYTHONHASHSEED=ALREADY)
    assert done.returncode == 4, done.stderr
    assert "? unknown: told/broken: seed 1: Fenced: What runs in a simulation asks the machine's clock" in done.stdout
    assert (tmp_path / "runs" / "told" / "right").is_dir()


def test_no_seed_at_all_is_unknown(tmp_path: Path) -> None:
    done = harness(tmp_path, "simulate", "quorum/isolated", "--minutes", "0.000001", PYTHONHASHSEED=ALREADY)
    assert done.returncode == 4, done.stderr
    assert done.stdout == "? unknown: quorum/isolated: no seed was run. Give it more --minutes, or --seeds N.\n"


@pytest.mark.slow
def test_a_failing_seed_is_made_smaller_shown_and_repeated_exactly(tmp_path: Path) -> None:
    wrong = ("quorum/isolated", "--set", "system.bug=read-one")
    done = harness(tmp_path, "simulate", *wrong, "--seeds", "5", "--jobs", "1", "--shrink", "2", "--json", "out.json")
    assert done.returncode == 1, done.stderr
    assert "linearizable" in done.stdout
    [summary] = json.loads((tmp_path / "out.json").read_text())
    [failed] = summary["failed"]
    [again] = [line.removeprefix("Again").split() for line in done.stdout.splitlines() if line.startswith("Again")]
    assert again[:4] == ["harness", "simulate", "quorum/isolated", "--seed"]
    assert again[4] == str(failed["seed"])
    repeated = harness(tmp_path, *again[1:])
    assert repeated.returncode == 1, repeated.stderr
    [chart] = [line.removeprefix("Chart").strip() for line in repeated.stdout.splitlines() if line.startswith("Chart")]
    assert (tmp_path / chart).stat().st_size < 2_000_000
    assert 'id="data"' in (tmp_path / chart).read_text()


ORDER = """
from harness.model.verdict import Verdict

def as_ordered(history):
    return Verdict(valid=False, why="in the order " + " ".join({"a", "b", "c", "d", "e", "f", "g", "h"}))

drill = Drill(system=Echo(replicas=2), workload=Numbers(), load=Load(rate=20, seconds=0.5), checks=[as_ordered])
"""


@pytest.mark.slow
def test_a_seed_that_depends_on_the_order_of_a_set_is_repeated_exactly(tmp_path: Path) -> None:
    write_drill(tmp_path, "told/order", ORDER)
    swept = harness(tmp_path, "simulate", "told/order", "--seeds", "1", "--json", "-", PYTHONHASHSEED="7")
    [found] = json.loads(swept.stdout)[0]["failed"]
    repeated = harness(tmp_path, "simulate", "told/order", "--seed", "1", PYTHONHASHSEED="7")
    assert repeated.returncode == 1, repeated.stderr
    assert found["why"] in " ".join(repeated.stdout.split())


@pytest.mark.parametrize("drill", [left_to_ci("disk/power_lost"), "told/right"])
def test_each_seed_twice_is_the_same_run(tmp_path: Path, drill: str) -> None:
    write_drill(tmp_path, "told/right", JUDGED_SO.format(valid=True))
    done = harness(tmp_path, "simulate", drill, "--seeds", "1", "--twice", "--set", "load.rate=60")
    assert done.returncode == 0, done.stderr
    assert "1 seeds, each twice the same run" in done.stdout


@pytest.mark.slow
def test_a_seed_that_fails_twice_alike_has_failed(tmp_path: Path) -> None:
    write_drill(tmp_path, "told/wrong", JUDGED_SO.format(valid=False))
    asked = ("told/wrong", "--seeds", "2", "--twice", "--shrink", "0.001", "--json", "out.json")
    done = harness(tmp_path, "simulate", *asked)
    assert done.returncode == 1, done.stderr
    assert "2 seeds, each twice the same run" in done.stdout
    assert "✘ told/wrong: of 2 seeds 0 held, 2 failed" in done.stdout
    [summary] = json.loads((tmp_path / "out.json").read_text())
    assert (summary["held"], summary["verdict"], len(summary["failed"])) == (0, "fail", 2)


@pytest.mark.slow
def test_a_stored_seed_says_if_it_was_found_with_other_code(tmp_path: Path) -> None:
    (tmp_path / "swarm.json").write_text('{"plain": true, "code": {"commit": "1a2b3c", "digest": "of older code"}}')
    again = ("simulate", "featured/slow_features", "--seed", "1", "--set", "load.rate=10", "--swarm")
    [told] = [line for line in harness(tmp_path, *again, "swarm.json").stdout.splitlines() if "other code" in line]
    assert told.startswith("? swarm.json: it was found with other code (1a2b3c then, ")
    [kept] = (tmp_path / "runs").rglob("swarm.json")
    assert "other code" not in harness(tmp_path, *again, str(kept)).stdout


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("quorum/isolate",), "Did you mean 'quorum/isolated'?"),
        (("redis/clock_jumps",), "cannot be simulated: redis is a foreign program"),
        (("processes/memory_pressure",), "cannot be simulated: MemoryPressure takes memory or descriptors away from a process"),
        (("training/worker_killed",), "cannot be simulated: its ranks exchange gradients over gloo"),
        (("quorum/isolated", "--seed", "x"), "invalid int value: 'x'"),
        (("quorum/isolated", "--minutes", "nan"), "'nan' is not a number above 0"),
        (("quorum/isolated", "--swarm", "nowhere.json"), "Name the seed: --seed S"),
        (("quorum/isolated", "--seed", "1", "--twice"), "Ask for --seeds N instead"),
        (("quorum/isolated", "--seed", "1", "--json", "out.json"), "the run's folder has its result.json"),
        (("quorum/isolated", "--seed", "1", "--swarm", "nowhere.json"), "Cannot read nowhere.json"),
    ],
)
def test_what_cannot_be_asked_is_one_line_and_code_2(tmp_path: Path, arguments: tuple[str, ...], told: str) -> None:
    done = harness(tmp_path, "simulate", *arguments, PYTHONHASHSEED=ALREADY)
    assert done.returncode == 2
    assert told in done.stderr
    assert done.stderr.count("\n") == 1
