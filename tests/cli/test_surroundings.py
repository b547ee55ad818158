"""The command line where something around it is missing: its folder, its output, the disk behind that."""

from __future__ import annotations

import errno
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

import pytest

from harness.cli.main import run
from harness.run import catalog
from tests.helpers.effort import left_to_ci
from tests.helpers.engine import environment

NIGHTS = Path(__file__).parents[2] / "examples/nights/history.sqlite"


def shell(line: str, cwd: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a line of shell whose `"$@"` is a command of the harness, with output that Python buffers as it does for a user."""
    command = ["sh", "-c", line, "sh", sys.executable, "-P", "-m", "harness.cli", *arguments]
    env = {name: value for name, value in environment().items() if name != "PYTHONUNBUFFERED"}
    return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False)


def test_a_folder_that_is_gone(tmp_path: Path) -> None:
    done = shell('mkdir gone && cd gone && rmdir ../gone && "$@"', tmp_path, "list")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "error: The folder that this was started in no longer exists. Change to another one.\n"


@pytest.mark.parametrize("stream", ["1", "2"])
def test_a_stream_that_is_closed(tmp_path: Path, stream: str) -> None:
    done = shell(f'"$@" {stream}>&-', tmp_path, "--version")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("harness ") == (stream == "2")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
@pytest.mark.parametrize("arguments", [["--help"], left_to_ci(["history", "list", "--history", str(NIGHTS)])])
def test_output_to_a_full_disk_is_said_in_one_line(tmp_path: Path, arguments: list[str]) -> None:
    done = shell('"$@" >/dev/full', tmp_path, *arguments)
    assert done.returncode == 70
    assert done.stderr == (
        "error: Cannot write the output: No space left on device. Free space there, or choose another place.\n"
    )


def test_buffered_output_into_a_pipe_that_closes(tmp_path: Path) -> None:
    done = shell('{ sleep 0.5; "$@"; echo $? >code; } | true', tmp_path, "--help")
    assert (done.stderr, (tmp_path / "code").read_text()) == ("", "141\n")


def test_a_folder_that_may_not_be_read(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def refused() -> NoReturn:
        raise PermissionError(errno.EACCES, "Permission denied", "/home/other/drills")  # as root is never refused

    monkeypatch.setattr(catalog, "drill_entries", refused)
    assert run(["list"]) == 2
    assert capsys.readouterr() == (
        "",
        "error: /home/other/drills: Permission denied. Change its permissions, or choose another place.\n",
    )


def test_a_module_that_ends_the_process_gives_no_verdict(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(catalog, "drill_entries", sys.exit)  # as with code 0, which means that all held
    assert run(["list"]) == 70
    assert capsys.readouterr().err.endswith("or in a module of yours named above\n")
