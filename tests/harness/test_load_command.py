"""`harness load` as a user runs it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.answering import answering
from tests.helpers.engine import environment

SHORT = ("--rate", "100", "--seconds", "0.3", "--warm-up", "0.1", "--connections", "4")


def load(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command as it is installed: Python does not look for modules in the working directory."""
    return subprocess.run(
        [sys.executable, "-P", "-m", "harness.cli", "load", *arguments],
        cwd=folder, env=environment(), capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip


@pytest.mark.parametrize("package", [False, True])
def test_folders_with_the_names_of_our_packages_do_not_get_in_the_way(tmp_path: Path, package: bool) -> None:
    for name in ("workloads", "systems", "faults", "results", "harness"):
        (tmp_path / name).mkdir()
        if package:
            (tmp_path / name / "__init__.py").write_text("raise RuntimeError('this is not ours')\n")
    with answering() as (url, _):
        done = load(tmp_path, url, *SHORT)
    assert done.stderr == ""
    assert "availability 100 %" in done.stdout
