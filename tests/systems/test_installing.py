"""Installing foreign programs: completely or not at all, with a message that says what is missing or failed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from harness.model.errors import HarnessError, UsageError
from harness.run.catalog import find_installable
from systems.foreign.cassandra import Cassandra
from systems.foreign.etcd import Etcd
from systems.foreign.installing import built_by_go, carry_out

PROGRAM = "package main\n\nfunc main() {}\n"


def module(folder: Path, program: str = PROGRAM) -> Path:
    folder.mkdir()
    (folder / "go.mod").write_text("module m\n\ngo 1.21\n")
    (folder / "main.go").write_text(program)
    return folder


def test_systems_are_found_by_name_in_upper_or_lower_case() -> None:
    assert isinstance(find_installable("ETCD"), Etcd)
    assert isinstance(find_installable("cassandra"), Cassandra)
    with pytest.raises(UsageError, match=r"No system to install called 'etc'\. Did you mean 'etcd'\?"):
        find_installable("etc")


def test_without_the_tool_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(UsageError, match=r"`go`, which is not on PATH\. Install Go 1\.21 or newer\."):
        built_by_go(module(tmp_path / "m"), tmp_path / "bin" / "program")


def test_what_a_tool_said_is_told(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match=r"`sh -c echo no; exit 3` failed: no"):
        carry_out(["sh", "-c", "echo no; exit 3"], tmp_path)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("go") is None, reason="there is no Go here: apt install golang-go")
def test_a_module_is_built_or_nothing_is_left(tmp_path: Path) -> None:
    target = tmp_path / "bin" / "program"
    with pytest.raises(HarnessError, match="`go build"):
        built_by_go(module(tmp_path / "broken", "package main\n"), target)
    assert list(target.parent.iterdir()) == []
    assert built_by_go(module(tmp_path / "whole"), target) == target
    assert list(target.parent.iterdir()) == [target]
