"""The nights in Markdown, JUnit's XML, JSON and OpenMetrics, each read back by an independent parser."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC

import pytest
from junitparser import Error, Failure, JUnitXml, Skipped, TestCase, TestSuite
from prometheus_client import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from results.report.nightly_json import encode, record_of
from results.report.nightly_junit import junit
from results.report.nightly_markdown import markdown
from results.report.nightly_openmetrics import openmetrics
from results.trends.judging import judge
from results.trends.nightly import Nightly
from results.trends.nights import RunOutcome
from tests.helpers.outcomes import DRILL, HOSTILE, SLO, figures, missed, moved, night, nights, run, steady


def history(*last: RunOutcome, broke_off: str = "") -> Nightly:
    """Twelve quiet nights and a last one with these runs, in which p50 has got worse."""
    quiet = nights([[run()]] * 12)
    series = [
        figures([*steady(12), 13.0]),
        figures(steady(13, 250.0), name="rate", unit="1/s"),
        figures([7.0], name="cpu", unit="s", first=12),
    ]
    return Nightly(nights=[*quiet, night(12, *last, broke_off=broke_off)], findings=judge(series))


def test_markdown_tells_the_gravest_first_and_folds_the_rest() -> None:
    text = markdown(history(run("fail", why="k3 lost"), missed(seed=2)))
    lines = text.splitlines()
    assert lines[0] == "## ❌ 1 drill wrong, 1 figure got worse, 1 drill missed an SLO"
    assert [line.split("**")[1] for line in lines if line.startswith("- ")] == ["Wrong", "SLO missed", "Worse"]
    assert "<details><summary>Error budgets: 1 SLO of 1 missed at least once in 90 nights</summary>" in lines
    assert markdown(Nightly(nights=nights([[run()]] * 13), findings=judge([figures(steady(13))]))).startswith(
        "## ✅ Nothing moved\n"
    )


def test_markdown_has_no_markup_from_outside() -> None:
    text = markdown(history(run("fail", why="| <b>*x*</b> @team #1 [a](http://b)\n# big")))
    (line,) = [line for line in text.splitlines() if "Wrong" in line and line.startswith("- ")]
    assert line.endswith(r"\| &lt;b&gt;\*x\*&lt;/b&gt; &#64;team \#1 \[a\](http://b) \# big")


def test_markdown_of_many_things_stays_short() -> None:
    text = markdown(history(*(run("fail", drill=f"d{number:03}", why="x" * 900) for number in range(300))))
    assert "- 281 more" in text
    assert len(text) < 65_536


def cases(nightly: Nightly) -> dict[str, list[TestCase]]:
    suites = JUnitXml.fromstring(junit(nightly))
    assert isinstance(suites, JUnitXml)
    found: dict[str, list[TestCase]] = {}
    for suite in suites:
        assert isinstance(suite, TestSuite)
        found[str(suite.name)] = list(suite)
        assert suite.tests == len(found[str(suite.name)])
    return found


def outcome(case: TestCase) -> tuple[str, type | None, str]:
    result = case.result
    return f"{case.classname} {case.name}", type(result[0]) if result else None, str(result[0].message) if result else ""


def test_junit_has_a_case_for_each_run_and_each_figure() -> None:
    found = cases(history(run(), run("fail", seed=2, why="k3 lost"), run("unknown", seed=3, why="late"), missed(seed=3)))
    assert [outcome(case) for case in found["drills"]] == [
        (f"{DRILL} seed 1", None, ""),
        (f"{DRILL} seed 2", Failure, "k3 lost"),
        (f"{DRILL} seed 3", Error, "late"),
        (f"{DRILL} seed 3, again (2)", Failure, f"{SLO}: observed 60ms"),
    ]
    worse, rate, cpu = (outcome(case) for case in found["figures"])
    assert worse[:2] == (f"{DRILL} p50", Failure)
    assert worse[2] == f"{DRILL}: p50 jumped from 3 ms to 13 ms"
    assert rate == (f"{DRILL} rate", None, "")
    assert cpu[1] is Skipped


def test_junit_holds_any_text() -> None:
    (case,) = cases(history(run("fail", why=f"\x1b[2J\x00 {HOSTILE} ]]>\nand more")))["drills"]
    assert outcome(case)[2] == f"�[2J� {HOSTILE} ]]>"
    assert case.result[0].text.endswith("and more")


def test_a_night_that_broke_off_is_an_error() -> None:
    assert [outcome(case) for case in cases(history(run(), broke_off="killed"))["drills"]][-1] == (
        "night 2026-01-13",
        Error,
        "killed",
    )


def test_json_says_what_the_page_says() -> None:
    of = history(run("fail", why="k3 lost"))
    told = json.loads(encode(record_of(of)))
    assert (told["version"], told["exit_code"], told["night"], told["nights"]) == (1, 1, "2026-01-13", 13)
    assert [(one["metric"], one["worse"], one["new"], one["kind"]) for one in told["changes"]] == [("p50", True, True, "jump")]
    assert [one["why"] for one in told["not_as_expected"]] == ["k3 lost"]
    assert {one["metric"]: one["smallest_in_one_night"] is None for one in told["figures"]} == {
        "p50": False,
        "rate": False,
        "cpu": True,
    }
    assert told["budgets"][0]["slo"] == SLO


def test_json_says_why_a_night_is_unknown() -> None:
    quiet = nights([[run()]] * 12)
    busy = Nightly(nights=[*quiet, night(12, run(not_counted="the machine was busy"))], findings=judge([figures(steady(12))]))
    told = json.loads(encode(record_of(busy)))
    assert (told["exit_code"], [one["not_counted"] for one in told["not_compared"]]) == (4, ["the machine was busy"])
    broken = json.loads(encode(record_of(history(run(), broke_off="killed"))))
    assert (broken["state"], broken["why"]) == ("broke off", "killed")


def families(nightly: Nightly, *, every_night: bool) -> dict[str, Metric]:
    read: Callable[[str], Iterable[Metric]] = text_string_to_metric_families
    return {family.name: family for family in read(openmetrics(nightly, every_night=every_night))}


def test_openmetrics_of_every_night_has_their_times_and_base_units() -> None:
    of = history(run(), missed(seed=2))
    found = families(of, every_night=True)
    p50 = [sample for sample in found["harness_figure_seconds"].samples if sample.labels["metric"] == "p50"]
    assert [sample.value for sample in p50] == pytest.approx([value / 1000 for value in (*steady(12), 13.0)])
    assert [float(sample.timestamp or 0) for sample in p50] == [night.began_utc.timestamp() for night in of.nights]
    assert found["harness_figure_per_second"].unit == "per_second"
    last = [sample for sample in found["harness_runs"].samples if sample.labels["verdict"] == "slo"]
    assert [(sample.value, sample.labels["expected"]) for sample in last] == [(1, "false")]


def test_openmetrics_of_the_last_night_has_no_times() -> None:
    found = families(history(run()), every_night=False)
    samples = [sample for family in found.values() for sample in family.samples]
    assert all(sample.timestamp is None for sample in samples)
    assert [(sample.labels["metric"], sample.value) for sample in found["harness_figure_moved"].samples] == [
        ("p50", -1),
        ("rate", 0),
        ("cpu", 0),
    ]
    assert found["harness_exit_code"].samples[0].value == 3
    assert found["harness_night_began_timestamp_seconds"].samples[0].value == history(run()).last.began_utc.timestamp()
    assert history(run()).last.began_utc.tzinfo is UTC


def test_openmetrics_takes_a_clock_that_went_back_and_any_name() -> None:
    quiet = nights([[run(drill='a"b\\c\nd')]] * 3)
    found = families(Nightly(nights=[quiet[2], quiet[0], quiet[1], quiet[1]], findings=judge([])), every_night=True)
    samples = found["harness_runs"].samples
    assert [sample.labels["drill"] for sample in samples] == ['a"b\\c\nd'] * 3
    assert len({float(sample.timestamp or 0) for sample in samples}) == 3


def test_openmetrics_has_each_sample_once_though_a_drill_had_two_definitions_in_a_night() -> None:
    of = history(run())
    edited = replace(figures([5.0], first=12), baseline="edited")
    twice = Nightly(nights=of.nights, findings=judge([*(one.series for one in of.findings.judged), edited]))
    samples = families(twice, every_night=False)["harness_figure_moved"].samples
    assert [(sample.labels["metric"], sample.value) for sample in samples] == [("p50", -1), ("rate", 0), ("cpu", 0)]


def test_formats_of_a_hostile_history_are_well_formed() -> None:
    assert HOSTILE not in markdown(moved())
    assert cases(moved())["drills"]
    assert families(moved(), every_night=True)
