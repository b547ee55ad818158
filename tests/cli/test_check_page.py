"""The examples of docs/check.md record histories that `harness check` reads."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from harness.cli.main import run
from results.record.histories import load_history

PAGE = (Path(__file__).parents[2] / "docs" / "check.md").read_text()


def example(language: str) -> str:
    (found,) = re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    return str(found)


def recorded(folder: Path, command: list[str]) -> list[tuple[str, ...]]:
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    ops = load_history(folder / "history.jsonl").ops
    return [tuple(map(str, row)) for row in ops[["client", "kind", "key", "value", "outcome"]].itertuples(index=False)]


CALLS = [("1", "write", "x", "1-1", "ok"), ("2", "read", "x", "1-1", "ok")]


def test_python(tmp_path: Path) -> None:
    assert recorded(tmp_path, [sys.executable, "-c", example("python")]) == CALLS
    assert run(["check", str(tmp_path / "history.jsonl"), "--checker", "linearizable"]) == 0


def test_shell(tmp_path: Path) -> None:
    assert recorded(tmp_path, ["bash", "-c", example("bash")]) == CALLS


@pytest.mark.nightly
def test_go(tmp_path: Path) -> None:
    go = shutil.which("go")
    if go is None:
        pytest.skip("Go is not installed")
    (tmp_path / "main.go").write_text(example("go"))
    assert recorded(tmp_path, [go, "run", "main.go"]) == CALLS


def test_the_options_of_the_page(tmp_path: Path) -> None:
    path = tmp_path / "calls.csv"
    path.write_text("client,kind,key,value,outcome,sent,done\n1,put,x,a,ok,0.5,1\n2,get,x,,ok,1.5,2\n")
    asked = ["check", str(path), "--unit", "ms", "--checker", "linearizable"]
    assert run([*asked, "--map", "get=read,put=write"]) == 1
    assert run(asked) == 4


@pytest.mark.parametrize("text", ["get", "get=", "=read", "get=read,"])
def test_a_map_that_is_none_is_a_usage_error(tmp_path: Path, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        run(["check", str(tmp_path / "calls.csv"), "--map", text])
    assert ended.value.code == 2
    assert "expected NAME=KIND" in capsys.readouterr().err
