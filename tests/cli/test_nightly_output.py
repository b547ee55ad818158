"""What `harness nightly` and `harness history report` write besides their page, and where they write it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from junitparser import JUnitXml
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from harness.cli import nightly_output
from harness.cli.main import run
from results.record.nights.database import HistoryDatabase
from tests.helpers.effort import left_to_ci
from tests.helpers.nights import measured, plan, record


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of runs with a history of quiet nights and one in which p99 is much slower."""
    runs = tmp_path_factory.mktemp("nights") / "runs"
    database = HistoryDatabase.open(str(runs / "history.sqlite"), create=True)
    for day in range(12):
        record(database, plan(day=day), [measured(p99_ms=5.0 + day * 7 % 5 / 100)])
    record(database, plan(day=12, commit="def"), [measured(p99_ms=15.0)])
    return runs


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, runs: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's folder with a copy of that history."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    shutil.copytree(runs, tmp_path / "runs")
    return tmp_path


def test_everything_that_is_asked_for_is_written(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(folder / "summary.md"))
    (folder / "summary.md").write_text("before\n")
    assert run(["history", "report", "--json", "out.json", "--markdown", "out.md", "--junit", "out.xml"]) == 3
    assert "1 figure got worse" in Path("runs/nightly.html").read_text()
    told = json.loads(Path("out.json").read_text())
    assert [(one["metric"], one["since_night"], one["new"]) for one in told["changes"]] == [("p99", "20260313T020000Z", True)]
    assert Path("out.md").read_text().startswith("## ❌ 1 figure got worse\n")
    assert Path("summary.md").read_text() == "before\n" + Path("out.md").read_text()
    assert JUnitXml.fromfile("out.xml").failures == 1


def test_five_quiet_nights_say_that_nothing_moved_and_a_sixth_that_is_10_ms_slower_is_named(
    capsys: pytest.CaptureFixture[str],
) -> None:
    database = HistoryDatabase.open("other.sqlite", create=True)
    for day in range(5):
        noise = day * 3 % 5 / 50
        record(database, plan(day=day), [measured(p99_ms=5.0 + noise, p50_ms=1.0 + noise / 5, rate_per_s=250.0 + day % 2)])
    assert run(["history", "report", "--history", "other.sqlite"]) == 0
    quiet = capsys.readouterr().out
    assert "Nothing moved." in quiet
    assert "Changes of p50 +" in quiet
    assert "would be seen in one night." in quiet
    record(database, plan(day=5, commit="def"), [measured(p99_ms=15.1, p50_ms=11.0, rate_per_s=250.0)])
    assert run(["history", "report", "--history", "other.sqlite"]) == 3
    slow = capsys.readouterr().out
    assert "quorum/healthy: p99 jumped from 5.04 ms to 15.1 ms" in slow
    assert "since 20260306T020000Z, between commits abc and def" in slow


def test_one_format_may_go_to_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["history", "report", "--json", "-"]) == 3
    written = capsys.readouterr()
    assert json.loads(written.out)["title"] == "1 figure got worse"
    assert "1 figure got worse." in written.err
    assert run(["history", "report", "--json", "-", "--markdown", "-"]) == 2
    assert capsys.readouterr().err.startswith("error: Only one of --json, --markdown and --junit can go to standard output.")


def test_a_file_that_cannot_be_written_is_said_before_anything_is_judged(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["history", "report", "--junit", "nowhere/out.xml"]) == 2
    assert capsys.readouterr().err.startswith("error: Cannot write nowhere/out.xml")
    assert not Path("runs/nightly.html").exists()


@pytest.mark.parametrize("page", [".", "runs", "runs/history.sqlite/night.html"])
def test_a_page_that_cannot_be_written_is_said_before_anything_runs(page: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["nightly", "quorum", "--page", page]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: Cannot write the report to {page}: ")
    assert [file.name for file in Path("runs").iterdir()] == ["history.sqlite"]


def test_the_first_night_makes_the_folder_of_runs_for_files_that_go_there(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "fresh").mkdir()
    monkeypatch.chdir(folder / "fresh")
    assert run(["nightly", "nowhere", "--markdown", "runs/night.md"]) == 2
    assert capsys.readouterr().err.startswith("error: No suite or drill called 'nowhere'.")


def test_the_last_page_stays_until_the_next_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("night.html").write_text("yesterday")
    monkeypatch.setattr(nightly_output, "write_nightly_page", lambda nightly, page: None)
    assert run(["history", "report", "--page", "night.html"]) == 3
    assert Path("night.html").read_text() == "yesterday"


@pytest.mark.parametrize(
    ("share", "code"),
    [
        ("99%", 3),
        left_to_ci("0.99", 3),
        ("1", 2),
        left_to_ci("0%", 2),
        ("most", 2),
    ],
)
def test_an_objective_is_a_share(share: str, code: int, capsys: pytest.CaptureFixture[str]) -> None:
    try:
        assert run(["history", "report", "--objective", share]) == code
    except SystemExit as error:
        assert error.code == code
        assert "is not a share above 0 and below 1, such as 95% or 0.95" in capsys.readouterr().err
    else:
        assert "Each SLO should be met by 99 % of the runs" in Path("runs/nightly.html").read_text()


def test_openmetrics_of_all_nights_and_of_the_last(capsys: pytest.CaptureFixture[str]) -> None:
    counts = []
    for words in ([], ["--last"]):
        assert run(["history", "openmetrics", *words]) == 0
        families = {one.name: one for one in text_string_to_metric_families(capsys.readouterr().out)}  # type: ignore[no-untyped-call]
        counts.append(len(families["harness_figure_seconds"].samples))
    assert counts == [13, 1]
    assert run(["history", "openmetrics", "--out", "out.prom"]) == 0
    assert Path("out.prom").read_text().endswith("# EOF\n")
