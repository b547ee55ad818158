"""`harness check --model`: it judges each key as an object of a kind that the user names or writes."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.cli.main import run

HISTORY = """client,kind,key,value,outcome,sent_ns,done_ns
1,push,s,1,ok,0,1
1,push,s,2,ok,2,3
2,pop,s,{first},ok,4,5
2,pop,s,{second},ok,6,7
"""
STACK = '''
from dataclasses import dataclass
from harness.model.object_model import REFUSED

@dataclass(frozen=True)
class Stack:
    """A stack."""
    kinds = frozenset({"push", "pop"})
    initial = ()

    def step(self, state, call):
        if call.kind == "push":
            return (*state, call.value)
        return state[:-1] if state and state[-1] == call.value else REFUSED

class Nothing:
    pass

class Broken:
    def __init__(self):
        raise RuntimeError("not today")
'''


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "stack.py").write_text(STACK)
    (tmp_path / "lifo.csv").write_text(HISTORY.format(first=2, second=1))
    (tmp_path / "fifo.csv").write_text(HISTORY.format(first=1, second=2))
    (tmp_path / "queue.csv").write_text(HISTORY.format(first=1, second=2).replace("push", "enqueue").replace("pop", "dequeue"))
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["lifo.csv", "--model", "stack.py:Stack"], 0),
        (["fifo.csv", "--model", "stack.py:Stack"], 1),
        (["queue.csv", "--model", "queue"], 0),
        (["lifo.csv", "--model", "queue", "--map", "push=enqueue,pop=dequeue"], 1),
        (["lifo.csv", "--model", "queue"], 4),
        (["lifo.csv"], 4),
    ],
)
@pytest.mark.usefixtures("folder")
def test_each_key_is_judged_as_that_object(arguments: list[str], code: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check", *arguments]) == code, capsys.readouterr().out


def test_calls_that_the_model_does_not_know_leave_it_unknown(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = (folder / "lifo.csv").read_text() + "3,peek,s,2,ok,8,9\n"
    (folder / "more.csv").write_text(text)
    assert run(["check", "more.csv", "--model", "stack.py:Stack"]) == 4
    assert "'peek' (1 call)" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("stack", "There is no model called 'stack'. There are counter,"),
        ("stack.py", "--model stack.py: name the class as well, stack.py:CLASS."),
        ("nowhere.py:Stack", "there is no Python file nowhere.py"),
        ("stack.py:Stick", "there is no class 'Stick' in stack.py. There are: Stack, Nothing, Broken."),
        ("stack.py:Nothing", "Nothing has no kinds, initial, step"),
        ("stack.py:Broken", "RuntimeError: not today"),
    ],
)
@pytest.mark.usefixtures("folder")
def test_what_is_no_model_is_one_line(model: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check", "lifo.csv", "--model", model]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert message in line
