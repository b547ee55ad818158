"""The result of nights: the exit code and the text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from results.record.nights.rows import WAS_SIMULATED
from results.report.nightly_drills import drill_views
from results.report.nightly_items import RunPages, items
from results.report.nightly_phrasing import (
    budget_words,
    burn_words,
    change_sentence,
    change_since,
    change_size,
    smallest_of,
    summary,
    title,
)
from results.trends.findings import Finding
from results.trends.judging import judge
from results.trends.nightly import Nightly
from results.trends.nights import Night, RunOutcome
from tests.helpers.outcomes import DRILL, figures, missed, night, nights, run, steady

SLOWER = [*steady(12), 13.0]


def nightly(last: Sequence[RunOutcome] = (run(),), values: Sequence[float] = steady(13), broke_off: str = "") -> Nightly:
    """Quiet nights and a last one, as many as there are values."""
    quiet: list[Night] = nights([[run()]] * (len(values) - 1))
    return Nightly(nights=[*quiet, night(len(quiet), *last, broke_off=broke_off)], findings=judge([figures(values)]))


def told(of: Nightly) -> list[tuple[str, str]]:
    return [(item.word, item.text) for item in items(of, RunPages({}, of.nights))]


@pytest.mark.parametrize(
    ("made", "code"),
    [
        (nightly(), 0),
        (nightly(values=SLOWER), 3),
        (nightly([missed()]), 3),
        (nightly([run("fail", why="k3 lost")]), 1),
        (nightly([run("fail", as_expected=True)]), 0),
        (nightly([run("pass", as_expected=False)]), 1),
        (nightly([run("fail")], SLOWER), 1),
        (nightly([run("unknown")]), 4),
        (nightly([run("unknown")], SLOWER), 3),
        (nightly([run("unknown"), missed()]), 3),
        (nightly(broke_off="killed"), 4),
        (nightly(values=steady(3)), 4),
        (nightly(values=[*steady(12), 0.5]), 0),
    ],
)
def test_the_exit_code_is_that_of_the_gravest_thing(made: Nightly, code: int) -> None:
    assert made.exit_code == code


def test_a_quiet_history_says_how_small_a_change_it_would_have_found() -> None:
    quiet = nightly()
    assert title(quiet) == "Nothing moved"
    assert summary(quiet).startswith("No figure moved for the worse in the last of 13 nights. Changes as small as p50 +")
    assert told(quiet) == []


def test_five_nights_say_what_a_single_night_would_show() -> None:
    five = nightly(values=steady(5))
    assert (title(five), five.exit_code) == ("Nothing moved", 0)
    assert "would be seen in one night" in summary(five)


def test_too_few_nights_are_no_good_news() -> None:
    few = nightly(values=steady(2))
    assert title(few) == "Cannot tell whether anything moved"
    assert summary(few) == "2 nights are too few to compare figures."
    upgraded = Nightly(nights=nights([[run()]] * 13), findings=judge([figures(steady(12)), figures([3.0], first=12)]))
    assert summary(upgraded) == "1 night on this ground is too few to compare figures."


def test_a_night_without_figures_repeats_no_old_regression_and_says_that_nothing_is_compared() -> None:
    slower = nightly(values=SLOWER)
    busy = night(13, run(not_counted="the machine was busy"))
    after = Nightly(nights=[*slower.nights, busy], findings=slower.findings)
    assert (slower.exit_code, after.exit_code) == (3, 4)
    assert title(after) == "Cannot tell whether anything moved"
    assert summary(after).startswith("No figure of the last night counts. Not compared: quorum/healthy.")
    assert told(after) == [("Not compared", f"{DRILL}: the machine was busy")]


def test_one_run_of_a_drill_that_counts_is_enough() -> None:
    assert nightly([run(), run(seed=2, not_counted="the machine was busy")]).exit_code == 0
    other = nightly([run(), run(drill="other", not_counted="the machine was busy")])
    assert (other.exit_code, told(other)) == (4, [("Not compared", "other: the machine was busy")])


def test_a_simulated_drill_has_no_figures_that_could_be_missing() -> None:
    held = run(drill=f"{DRILL} (simulated)", not_counted=WAS_SIMULATED)
    of = nightly([run(), held])
    assert (of.exit_code, title(of), told(of)) == (0, "Nothing moved", [])
    assert nightly([run(), run("unknown", drill=held.drill, not_counted=WAS_SIMULATED)]).exit_code == 4


def test_a_change_is_named_with_its_size_night_and_commits() -> None:
    slower = nightly(values=SLOWER)
    assert title(slower) == "1 figure got worse"
    assert "Worse: p50 of quorum/healthy." in summary(slower)
    (item,) = items(slower, RunPages({}, slower.nights))
    assert (item.word, item.metric) == ("Worse", "p50")
    assert item.text == f"{DRILL}: p50 jumped from 3 ms to 13 ms"
    assert item.details[0].startswith("+333 %, 95 % interval +")
    assert item.details[1].startswith("since 2026-01-13, with the same commit abc123 as before")


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("0123456789ab", "0123456789ab", ", with the same commit 0123456789 as before"),
        ("0123456789ab", "0123456789ab+", ", between commits 0123456789 and 0123456789+"),
        ("0123456789ab+", "0123456789ab+", ", at commit 0123456789+, as before, but with changes that were not committed"),
    ],
)
def test_changes_that_were_not_committed_are_not_the_same_code(before: str, after: str, said: str) -> None:
    points = figures(SLOWER).points
    points = (*(replace(point, commit=before) for point in points[:-1]), replace(points[-1], commit=after))
    slower = replace(nightly(values=SLOWER).worse[0], series=replace(figures(SLOWER), points=points))
    assert change_since(slower).removeprefix("since 2026-01-13").startswith(said)


def test_the_runs_before_and_after_a_change_are_linked() -> None:
    slower = nightly([run(run_dir="runs/after")], SLOWER)
    slower = Nightly(
        nights=[night(0), *slower.nights[1:-2], night(11, run(run_dir="runs/before")), slower.last], findings=slower.findings
    )
    pages = RunPages({"runs/before": "b/report.html", "runs/after": "a/report.html"}, slower.nights)
    (item,) = items(slower, pages)
    assert [(link.text, link.address) for link in item.links] == [
        ("run before, 2026-01-12", "b/report.html"),
        ("run after, 2026-01-13", "a/report.html"),
    ]


def test_runs_of_a_drill_that_ended_alike_are_told_once_and_since_when() -> None:
    history = nights([[run()], [run("fail"), run("unknown")], [run("fail", why="k3 lost"), run("fail", seed=2), run(seed=3)]])
    found = Nightly(nights=history, findings=judge([]))
    (item,) = items(found, RunPages({}, history))
    assert (item.word, item.text) == ("Wrong", f"{DRILL}, 2 of 3 runs, seeds 1, 2: k3 lost")
    assert item.details == ["2 nights in a row, since 2026-01-02"]


def test_a_run_that_says_nothing_more_is_told_without_a_colon() -> None:
    assert told(nightly([run("pass", as_expected=False)])) == [("Known bug not caught", f"{DRILL}, seed 1")]


def test_the_gravest_comes_first_and_new_ground_is_said() -> None:
    of = nightly([run("unknown", why="generator_kept_up: late"), missed(), run("fail", why="k3 lost")], SLOWER)
    other = night(12, *of.last.runs, facts={"CPU": "an abacus", "Python": "3.12.1", "numpy": "2.0"})
    of = Nightly(nights=[*of.nights[:-1], other], findings=of.findings)
    assert [word for word, _ in told(of)] == ["Wrong", "SLO missed", "Worse", "Unknown", "New ground"]
    assert told(of)[-1][1].startswith("Python 3.11.2 → 3.12.1, numpy 2.0 is new.")
    again = Nightly(nights=[*of.nights, night(13, *of.last.runs)], findings=of.findings)
    assert "New ground" not in [word for word, _ in told(again)], "it is compared with the nights before that one"


def test_a_budget_that_burns_is_told() -> None:
    history = nights([[run()]] * 10 + [[missed()]] * 3)
    of = Nightly(nights=history, findings=judge([]))
    (words,) = [text for word, text in told(of) if word == "Budget"]
    assert words.startswith(f"{DRILL}, p99 < 50ms: burns too fast, 20 times over 3 nights, 6 times over 10 nights and")


def test_large_numbers_have_all_digits() -> None:
    of = Nightly(nights=nights([[run()]] + [[missed()] * 30] * 4), findings=judge([]), objective=0.99)
    (budget,) = of.budgets
    assert burn_words(budget).startswith("burns too fast, 100 times over 3 nights, 99 times over 10 nights and")
    assert budget_words(of.budgets[0]) == "the error budget is spent: 120 misses, 22 are allowed in 90 nights"
    noisy = figures([1.0, 5.0, 9.0] * 4, name="max")
    of = Nightly(nights=nights([[run()]] * 12), findings=judge([noisy]))
    (drill,) = drill_views(of, {DRILL: list(of.findings.judged)}, {}, RunPages({}, of.nights))
    assert drill.figures[0].noise == "± 119 %"


def test_a_change_from_nothing_has_no_ratio() -> None:
    recovery = figures([0.0] * 13, name="recovery", unit="s")
    same = Nightly(nights=nights([[run()]] * 13), findings=judge([recovery, figures(steady(13))]))
    assert smallest_of(same.measured[0]) == "–"
    assert "recovery" not in summary(same)
    slower = judge([figures([0.0] * 12 + [5.0], name="recovery", unit="s")])
    assert change_sentence(slower.changes[0]) == f"{DRILL}: recovery jumped from 0 s to 5 s"
    assert change_size(slower.changes[0]) == "from nothing"


def test_a_rate_of_nothing_is_told_as_nothing() -> None:
    (stopped,) = judge([figures([40.0, 41.0] * 6 + [0.0], name="rate", unit="1/s")]).changes
    assert (stopped.after, stopped.worse) == (0.0, True)
    assert change_sentence(stopped) == f"{DRILL}: rate dropped from 40.5/s to 0/s"


def test_a_share_is_told_by_what_is_missing() -> None:
    series = figures([0.9999] * 12 + [0.98], name="availability", unit="")
    change = Finding(
        series=series, kind="shift", night="2026-01-12", seen="2026-01-13", before=0.9999, after=0.98, effect=98.5,
        interval=(90.0, 110.0), p_adjusted=1e-5, worse=True,
    )  # fmt: skip
    assert change_sentence(change) == f"{DRILL}: availability fell from 99.99 % to 98 %"
    assert change_size(change) == "what is missing to 100 %: 100×, 95 % interval 91× to 111×"
    assert change_since(change) == "since 2026-01-12, with the same commit abc123 as before; certain since 2026-01-13"
