"""docs/adding.md, carried out: its files work in the places that it names."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
Harness = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's folder with every file of the guide."""
    folder = tmp_path_factory.mktemp("mine")
    guide = (ROOT / "docs" / "adding.md").read_text()
    blocks = re.findall(r"^File: (\S+)\n\n```python\n(.*?)^```$", guide, re.MULTILINE | re.DOTALL)
    assert len(blocks) == guide.count("```python") == 8
    for name, text in blocks:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


@pytest.fixture(scope="module")
def harness(folder: Path) -> Harness:
    """The command as it is installed: the working directory is not where Python looks for modules."""

    def harness(*arguments: str, module: str = "harness.cli") -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-P", "-m", module, *arguments]
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "200"}
        return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=120)

    return harness


@pytest.mark.slow
def test_what_lies_in_the_folders_is_listed(harness: Harness) -> None:
    listed = harness("list").stdout
    for line in (
        r"counter/killed +The counter is killed under load and comes back: no number may be handed out twice\.",
        r"website/slow +The link to a web server",
        r"Counter +systems\.counter +One node that hands out numbers",
        r"Nothing +faults\.nothing +Leaves the targets as they are\.",
        r"Trickle +faults\.trickle +Limits answers",
        r"Additions +workloads\.additions +The same call again and again\.",
        r"never_repeats +harness\.checkers\.never_repeats +No two calls were answered with the same value\.",
    ):
        assert re.search(f"^  {line}", listed, re.MULTILINE), line


@pytest.mark.slow
def test_the_drill_passes(harness: Harness, folder: Path) -> None:
    checks = judged(harness, folder, "counter/killed")
    assert "all different" in checks["never_repeats"]


@pytest.mark.slow
def test_the_counter_that_forgets_is_caught(harness: Harness) -> None:
    done = harness("drill", "counter/killed", "--set", "system.bug=forgetful")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "numbers more than once" in done.stdout


@pytest.mark.slow
def test_the_recorded_run_is_judged_again_by_the_users_checker(harness: Harness, folder: Path) -> None:
    harness("drill", "counter/killed", "--set", "system.bug=forgetful", "--runs", "caught")
    [run] = (folder / "caught" / "counter" / "killed").iterdir()
    done = harness("check", str(run), "--checker", "never_repeats")
    assert (done.returncode, "never_repeats" in done.stdout) == (1, True)
    assert harness("check", str(run)).returncode == 1
    done = harness("check", str(run / "ops.parquet"))
    assert (done.returncode, "each of a kind that a check judges" in done.stdout) == (1, True)


@pytest.mark.slow
def test_the_known_bug_is_measured_and_listed(harness: Harness, folder: Path) -> None:
    done = harness("detect", "counter", "--json", "matrix.json")
    assert done.returncode in (0, 4), done.stdout + done.stderr
    rows = json.loads((folder / "matrix.json").read_text())["rows"]
    [forgetful] = [row for row in rows if row["bug"]]
    assert forgetful["bug"] == "forgetful"
    assert "never_repeats" in forgetful["trials"][0]["found"]
    assert "missed" not in forgetful["trials"][0]["outcome"]
    assert re.search(
        r"^  Counter forgetful +the last number is kept in memory only \(counter/killed", harness("list").stdout, re.M
    )


@pytest.mark.slow
def test_the_foreign_program_runs(harness: Harness, folder: Path) -> None:
    judged(harness, folder, "website/slow")


@pytest.mark.slow
def test_the_drills_are_tests(harness: Harness) -> None:
    done = harness("drills", "--collect-only", "-q", "-p", "no:locust", "-p", "no:cacheprovider", module="pytest")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[:2] == ["drills/counter/killed.py::killed", "drills/website/slow.py::slow"]


def judged(harness: Harness, folder: Path, drill: str) -> dict[str, str]:
    """What each check of a good run said; that the machine was too busy for its load may be among it."""
    done = harness("drill", drill, "--json", "out.json")
    assert done.returncode in (0, 4), done.stdout + done.stderr
    [result] = json.loads((folder / "out.json").read_text())["results"]
    wrong = [check for check in result["checks"] if check["valid"] is not True and check["name"] != "generator_kept_up"]
    assert not wrong and all(slo["ok"] for slo in result["slos"]), done.stdout
    return {check["name"]: check["why"] for check in result["checks"]}
