"""Mutants: small changes of the code that still compile, and whether simulation notices them."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest

from harness.cli.main import run
from harness.simulation.mutation.mutants import mutants_of

SOURCE = '''"""A module."""
from __future__ import annotations

LIMIT = 3


def f(x: int = 1) -> int | None:
    """Not this: 1 < 2."""
    assert x < 10
    while x <= LIMIT and not done(x):
        self.total += x - 1
        node.log("ä" + str(x))
    self.seen[x] = True
    if ready(x):
        raise ValueError("x" + "y")
    send(x)
    return None
'''


def changed_lines() -> dict[str, list[str]]:
    """By operator, the lines that mutants produce."""
    found: dict[str, list[str]] = {}
    for mutant in mutants_of(SOURCE):
        line = mutant.applied(SOURCE).splitlines()[mutant.line - 1].strip()
        found.setdefault(mutant.operator, []).append(line)
    return found


def test_each_operator_changes_what_it_is_for_and_nothing_else() -> None:
    assert changed_lines() == {
        "off by one": ["LIMIT = 4", "def f(x: int = 2) -> int | None:", "self.total += x - 2"],
        "operator": ["while (x <= LIMIT or not done(x)):", "self.total += (x + 1)"],
        "comparison": ["while (x < LIMIT) and not done(x):"],
        "negation": ["while x <= LIMIT and (done(x)):"],
        "forgotten statement": ["pass", "pass", "pass", "pass"],
        "truth": ["self.seen[x] = False"],
        "condition": ["if (not (ready(x))):"],
    }


OTHERS = ("systems/quorum/storage.py", "systems/parts/breaker.py")


@pytest.mark.parametrize(
    "file", ["systems/quorum/protocol.py", *(pytest.param(file, marks=pytest.mark.slow) for file in OTHERS)]
)
def test_every_mutant_of_real_code_is_other_code_that_compiles(file: str) -> None:
    source = (Path(__file__).parents[2] / file).read_text()
    mutants = mutants_of(source)
    assert len(mutants) > 20
    for mutant in mutants:
        assert ast.dump(ast.parse(mutant.applied(source))) != ast.dump(ast.parse(source)), mutant


@pytest.mark.slow
@pytest.mark.parametrize(
    ("file", "mutants", "fate"),
    [
        ("protocol.py", 2, "killed"),
        ("comparing.py", 1, "survived"),  # this drill never compares and sets
    ],
)
def test_what_simulation_notices_is_told_apart_from_what_it_does_not(
    file: str, mutants: int, fate: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    options = ["--file", file, "--drill", "quorum/isolated", "--mutants", str(mutants), "--seeds", "1", "--json", "tried.json"]
    status = run(["mutate", "quorum", *options])
    fates = [each["fate"] for each in json.loads((tmp_path / "tried.json").read_text())]
    assert fate in fates
    assert status == int("survived" in fates)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["quoram"], "There is no system 'quoram' in systems. There are: bus, eventual, featured,"),
        (["quorum", "--file", "nothing.py"], "has no code in 'nothing.py'. It has client.py,"),
        (["training"], "No drill of 'training' can be simulated"),
    ],
)
def test_bad_input_is_one_line(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["mutate", *arguments]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert message in line
