"""The example history: real nights without changes, until a planted delay of the write path."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from harness.cli.main import run
from results.record.nights.database import HistoryDatabase
from results.report.nightly_phrasing import summary, title
from results.trends.recorded import judged, nights_of

EXAMPLE = Path(__file__).parent.parent.parent / "examples" / "nights" / "history.sqlite"


@pytest.fixture
def history(tmp_path: Path) -> Path:
    return Path(shutil.copy(EXAMPLE, tmp_path / "history.sqlite"))


def test_no_night_before_the_delay_raises_an_alarm_and_quiet_ones_say_what_would_have_been_found(history: Path) -> None:
    database = HistoryDatabase.open(history)
    nights = nights_of(database)
    before = [night for night in nights if night.commit == nights[0].commit]
    assert len(before) > 8
    told = [judged(database, last=night.name) for night in before]
    assert not any(nightly.new for nightly in told)
    quiet = [nightly for nightly in told if nightly.exit_code == 0]
    assert len(quiet) > 4
    assert {title(nightly) for nightly in quiet} == {"Nothing moved"}
    assert "would be found within five nights" in summary(quiet[-1])


def test_whatever_is_found_later_is_the_delay(history: Path, tmp_path: Path) -> None:
    database = HistoryDatabase.open(history)
    nights = nights_of(database)
    slow = [night.name for night in nights if night.commit != nights[0].commit]
    changes = judged(database).findings.changes
    assert {change.night for change in changes} == {slow[0]}
    assert all(change.worse and change.series.metric.name == "p50" for change in changes)
    page = tmp_path / "page.html"
    code = run(["history", "report", "--history", str(history), "--page", str(page)])
    assert code == 3
    assert "store/steady" in page.read_text()
