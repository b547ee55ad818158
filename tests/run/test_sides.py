"""What can be compared, and that a comparison leaves nothing behind."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from harness.model.errors import UsageError
from harness.run.sides import two_sides


def _git(*arguments: str, cwd: Path) -> str:
    done = subprocess.run(["git", *arguments], cwd=cwd, check=True, capture_output=True, text=True)  # noqa: S607
    return done.stdout


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's repository with two commits and a folder that only the second has."""
    _git("init", "-q", cwd=tmp_path)
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file.txt").write_text(name)
        _git("add", ".", cwd=tmp_path)
        _git("-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", name, cwd=tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_commits_are_checked_out_and_removed(repository: Path) -> None:
    folders = []
    with pytest.raises(ZeroDivisionError), two_sides("HEAD~1", "HEAD") as sides:
        folders = [side.folder for side in sides if side.folder is not None]
        assert not (folders[0] / "two").exists()
        assert (folders[1] / "two" / "file.txt").read_text() == "two"
        raise ZeroDivisionError
    assert [folder.exists() for folder in folders] == [False, False]
    assert len(_git("worktree", "list", cwd=repository).splitlines()) == 1


def test_a_checkout_of_the_harness_itself_brings_its_own_modules(repository: Path) -> None:
    (repository / "harness").mkdir()
    (repository / "harness" / "__init__.py").write_text("")
    _git("add", ".", cwd=repository)
    _git("-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "three", cwd=repository)
    with two_sides("HEAD", "HEAD~1") as (own, users):
        assert own.folder is not None
        assert own.environment()["PYTHONPATH"].split(":")[0] == str(own.folder)
        assert users.environment()["PYTHONPATH"].split(":")[0] == str(Path(__file__).parent.parent.parent)


def test_the_folder_that_one_stands_in_must_be_in_both(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(repository / "two")
    with pytest.raises(UsageError, match="no folder two/ in HEAD~1"), two_sides("HEAD~1", "HEAD"):
        pass
    assert len(_git("worktree", "list", cwd=repository).splitlines()) == 1


@pytest.mark.usefixtures("repository")
@pytest.mark.parametrize(
    ("a", "b", "said"),
    [
        ("nowhere", "HEAD", "'nowhere' is not a commit here"),
        ("--help", "HEAD", "'--help' is not a commit here"),
        ("embedded", "HEAD", "embedded is a fault plane and HEAD is a commit"),
        ("load.rate=5", "http://127.0.0.1:1/", "load.rate=5 is a setting"),
    ],
)
def test_what_cannot_be_compared_is_said(a: str, b: str, said: str) -> None:
    with pytest.raises(UsageError, match=said), two_sides(a, b):
        pass


def test_settings_and_planes_become_options(tmp_path: Path) -> None:
    with two_sides("as-is", "load.rate=5 system.bug=slow") as (a, b):
        assert "--set" not in a.command("q/h", 1, tmp_path / "r", tmp_path, ())
        command = b.command("q/h", 1, tmp_path / "r", tmp_path, ("--set", "load.seconds=1"))
        assert command[command.index("drill") : command.index("--seed")] == [
            "drill", "q/h", "--set", "load.seconds=1", "--set", "load.rate=5", "--set", "system.bug=slow",
        ]  # fmt: skip
    with two_sides("embedded", "toxiproxy") as (a, b):
        assert b.options == ("--fault-plane", "toxiproxy")
