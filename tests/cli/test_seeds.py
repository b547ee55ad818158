"""The results of many seeds of a drill, in counts."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from harness.cli import night_recorder, simulate
from harness.cli.main import run
from harness.cli.night_recorder import NightOrder
from harness.cli.running import Series
from harness.cli.seeds import Tally
from harness.model.errors import NodeDown
from harness.model.verdict import RunVerdict
from harness.run import catalog
from harness.simulation.seed_run import Outcome
from harness.simulation.swarm import Swarm
from harness.simulation.worker import Reply, Task
from results.record.nights.database import HistoryDatabase
from results.record.nights.rows import RecordedRun
from results.record.result import suite_exit_code
from results.trends.recorded import judged


def reply(verdict: RunVerdict | None, seed: int, *found: str) -> Reply:
    """A process's reply about a seed in which `found` failed; None: it reached no verdict."""
    if verdict is None:
        return Reply(seed=seed, outcome=None, error="it broke", cpu_s=0.5)
    outcome = Outcome(
        drill="a/b", seed=seed, verdict=verdict, plain=False, found=found, why="it said so", digest=0, steps=1, simulated_s=2.0
    )
    return Reply(seed=seed, outcome=outcome, cpu_s=0.5)


def tally_of(*verdicts: RunVerdict | None) -> Tally:
    tally = Tally(named=catalog.find_drill("quorum/isolated"), go_on=True)
    for seed, verdict in enumerate(verdicts, start=1):
        tally.add(Task(drill="a/b", settings=(), seed=seed), reply(verdict, seed))
    return tally


@pytest.mark.parametrize(
    ("verdicts", "counts", "verdict"),
    [
        (["pass"] * 3, "3 seeds held", "pass"),
        (["pass", "unknown", "pass"], "of 3 seeds 2 held, 1 is unknown", "unknown"),
        (["unknown", None], "of 2 seeds 0 held, 2 are unknown", "unknown"),
        (["pass", "fail", "slo", None], "of 4 seeds 1 held, 2 failed, 1 is unknown", "fail"),
        (["slo", "pass"], "of 2 seeds 1 held, 1 failed", "slo"),
        ([], "0 seeds held", "unknown"),
    ],
)
def test_seeds_that_could_not_be_judged_are_not_counted_among_those_that_held(
    verdicts: list[RunVerdict | None], counts: str, verdict: RunVerdict
) -> None:
    tally = tally_of(*verdicts)
    assert (tally.counts, tally.verdict) == (counts, verdict)


def test_the_summary_names_the_first_seed_that_did_not_hold() -> None:
    assert tally_of("pass", "unknown", None).summary_line == "of 3 seeds 1 held, 2 are unknown; seed 2: it said so"
    assert tally_of("pass", None).summary_line == "of 2 seeds 1 held, 1 is unknown; seed 2: it broke"
    assert tally_of("pass").summary_line == "1 seed held"


def test_a_known_weakness_that_its_drill_catches_is_no_failure() -> None:
    tally = Tally(named=catalog.find_drill("eventual/clock_skewed"))
    task = Task(drill="eventual/clock_skewed", settings=(), seed=1)
    assert tally.add(task, reply("fail", 1, "nothing_lost"))
    assert tally.add(task, reply("pass", 2))
    assert (tally.counts, tally.verdict) == ("of 2 seeds 1 held, 1 caught", "pass")
    assert not tally.add(task, reply("fail", 3, "nothing_lost", "invariant"))
    assert (tally.counts, tally.verdict) == ("of 3 seeds 1 held, 1 caught, 1 failed", "fail")


def test_an_interrupted_simulation_says_how_the_seeds_so_far_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    verdicts: tuple[RunVerdict, ...] = ("pass", "fail", "slo")

    def count_seeds(tally: Tally, *_: object) -> None:
        for seed, verdict in enumerate(verdicts, start=1):
            tally.add(Task(drill="a/b", settings=(), seed=seed), reply(verdict, seed))
        raise KeyboardInterrupt

    monkeypatch.setattr(simulate, "count_seeds", count_seeds)
    options = ["--go-on", "--set", "load.rate=20", "--json", str(tmp_path / "out.json")]
    assert run(["simulate", "quorum/isolated", "raft/isolated", *options]) == 130
    told = "? quorum/isolated: interrupted: of 3 seeds 1 held, 2 failed; failed: 2, 3."
    assert capsys.readouterr().out == f"{told} Again: harness simulate quorum/isolated --set load.rate=20 --seed S\n"
    [summary] = json.loads((tmp_path / "out.json").read_text())
    assert [one["seed"] for one in summary["failed"]] == [2, 3]


def none_are_made(*_: object, **__: object) -> Series:
    return Series(exit_code_of=suite_exit_code)


def night_of_simulations(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    run_orders: Callable[..., Series],
    *,
    drill: str = "eventual/clock_skewed",
    seed: int = 1,
) -> list[RecordedRun]:
    """The runs of a night whose real runs are those of `run_orders`. One seed is simulated, in which `nothing_lost` fails: a
    weakness that is known of eventual/clock_skewed."""

    def count_seeds(tally: Tally, *_: object) -> None:
        tally.add(Task(drill=drill, settings=(), seed=seed), reply("fail", seed, "nothing_lost"))

    monkeypatch.setattr(night_recorder, "count_seeds", count_seeds)
    monkeypatch.setattr(night_recorder, "run_orders", run_orders)
    database = HistoryDatabase.open(folder / "history.sqlite", create=True)
    order = NightOrder(
        suite=None, drills=[catalog.find_drill(drill)], lacking=[], repeats=1, seed=1, plane="embedded",
        runs=folder, simulate_minutes=1.0,
    )  # fmt: skip
    night_recorder.record_night(order, database, Console(file=io.StringIO()))
    [night] = database.nights()
    assert night.state == "complete"
    return database.runs()


def test_a_night_in_which_every_seed_caught_the_known_weakness_went_as_expected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    [run] = night_of_simulations(tmp_path, monkeypatch, none_are_made)
    assert (run.drill, run.verdict, run.as_expected) == ("eventual/clock_skewed (simulated)", "pass", True)
    assert run.why == "of 1 seed 0 held, 1 caught"


def test_a_night_whose_runs_came_to_no_result_is_still_simulated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none_ends(*_: object, **__: object) -> Series:
        raise NodeDown("n1 did not start")

    [run] = night_of_simulations(tmp_path, monkeypatch, none_ends)
    assert run.drill == "eventual/clock_skewed (simulated)"


def test_a_failing_seed_spends_no_error_budget(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = next(seed for seed in range(1, 100) if Swarm.of(catalog.find_drill("quorum/healthy").drill, seed).plain)
    [run] = night_of_simulations(tmp_path, monkeypatch, none_are_made, drill="quorum/healthy", seed=plain)
    assert (run.verdict, run.as_expected) == ("fail", False)
    assert judged(HistoryDatabase.open(tmp_path / "history.sqlite")).budgets == ()
