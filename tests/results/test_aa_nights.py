"""What nights in a row with the same code tell: they are no nights, and every report says what they showed."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import msgspec
import numpy as np
import pytest

from harness.cli.main import run
from results.record.nights.database import HistoryDatabase
from results.record.nights.recording import NightPlan
from results.record.nights.rows import CALIBRATION
from results.report.nightly_json import record_of
from results.report.nightly_junit import junit
from results.report.nightly_markdown import markdown
from results.report.nightly_page import render
from results.report.nightly_trust import trust
from results.trends.nightly import Nightly
from results.trends.recorded import judged, nights_of, series_of
from tests.helpers.nights import measured, plan, record

UNKNOWN = "How often a comparison raises a false alarm on this machine is not known"


def in_a_row(number: int, **others: object) -> NightPlan:
    """A night for calibration, ten minutes after the one before."""
    made = plan(**others)  # type: ignore[arg-type]
    return msgspec.structs.replace(made, source=CALIBRATION, began_utc=made.began_utc + timedelta(minutes=10 * number))


@pytest.fixture
def database(tmp_path: Path) -> HistoryDatabase:
    return HistoryDatabase.open(tmp_path / "history.sqlite", create=True)


def calibrated(database: HistoryDatabase, nights: int, *, commit: str = "abc", day: int = 0) -> None:
    random = np.random.default_rng(1)
    for number in range(nights):
        p99_ms = 10 * float(np.exp(random.normal(0, 0.02)))
        record(database, in_a_row(number, commit=commit, day=day), [measured(p99_ms=p99_ms)])


def test_the_first_night_says_what_calibration_measured_in_every_report(database: HistoryDatabase) -> None:
    calibrated(database, 8)
    record(database, plan(day=1), [measured(p99_ms=10.0)])
    nightly = judged(database, calibrated=True)
    assert nightly.aa is not None
    assert (nightly.aa.nights, nightly.aa.calibration.series) == (8, 1)
    (figure,) = nightly.aa.judged
    assert figure.smallest is not None
    assert 0.05 <= figure.smallest < 0.3
    told = trust(nightly)
    assert told.startswith("Measured by 8 nights in a row with the same code, the last on 2026-03-01: ")
    assert "Changes as small as p99 +" in told
    assert "in a row with the same code" in render(nightly, {})
    assert "in a row with the same code" in markdown(nightly)
    assert b"in a row with the same code" in junit(nightly)
    written = record_of(nightly)
    assert written.aa is not None
    assert written.aa.figures[0].smallest_in_five_nights == figure.smallest
    assert written.aa.false_alarms.nights == nightly.aa.calibration.nights > 0


def test_nights_for_calibration_are_no_nights(database: HistoryDatabase) -> None:
    calibrated(database, 8)
    assert nights_of(database) == []
    assert series_of(database) == []
    record(database, plan(day=1), [measured(p99_ms=100.0)])
    nightly = judged(database, calibrated=True)
    assert len(nightly.nights) == 1
    assert nightly.exit_code == 4, "one night is compared with nothing, however many ran for calibration"


@pytest.mark.parametrize("other", ["facts", "definition"])
def test_calibration_of_another_machine_or_drill_tells_nothing(database: HistoryDatabase, other: str) -> None:
    calibrated(database, 8)
    if other == "facts":
        record(database, plan(day=1, facts={"CPU": "another"}), [measured()])
    else:
        record(database, plan(day=1), [measured(definition="edited")])
    nightly = judged(database, calibrated=True)
    assert nightly.aa is None
    assert trust(nightly).startswith(UNKNOWN)


def test_of_two_commits_the_last_with_enough_nights_counts(database: HistoryDatabase) -> None:
    calibrated(database, 8, commit="one", day=0)
    calibrated(database, 9, commit="two", day=1)
    calibrated(database, 3, commit="three", day=2)
    record(database, plan(day=3), [measured()])
    aa = judged(database, calibrated=True).aa
    assert aa is not None
    assert aa.nights == 9
    assert {point.commit for one in aa.judged for point in one.series.points} == {"two"}


def test_too_few_nights_say_so(database: HistoryDatabase) -> None:
    calibrated(database, 7)
    record(database, plan(day=1), [measured()])
    nightly: Nightly = judged(database, calibrated=True)
    assert nightly.aa is None
    assert trust(nightly).startswith(UNKNOWN)
    assert trust(judged(database)) == ""


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--nights", "9"), "--nights needs --calibrate"),
        (("--calibrate", "--nights", "7"), "fewer than 8 show nothing"),
        (("--calibrate", "--page", "x.html"), "leave out --page, --json, --markdown, --junit and --simulate-minutes"),
    ],
)
def test_options_that_do_not_go_together_are_one_line(
    options: tuple[str, ...], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["nightly", "quorum", *options]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line
    assert list(tmp_path.iterdir()) == []
