"""Mutants: small changes of the code that still compile, and whether simulation notices them."""

from __future__ import annotations

import ast
import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.cli.main import run
from harness.simulation.mutation.killing import seeds_of
from harness.simulation.mutation.mutants import mutants_of
from harness.simulation.mutation.reach import reached

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
    if ready(x) and x != "y":
        raise ValueError("x" + "y")
    if x is None:
        raise UsageError("x")
    for a, b in zip(x, max(x), strict=True):
        send(a)
    return None


@dataclass(frozen=True)
class C(Struct, frozen=True):
    def __str__(self) -> str:
        return str(1)

    def varied(self, random: Random) -> C:
        return C(random.choice((1, 2)))
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
        "operator": [
            "while (x <= LIMIT or not done(x)):",
            "self.total += (x + 1)",
            "if (ready(x) or x != 'y'):",
            "for a, b in zip(x, min(x), strict=True):",
        ],
        "comparison": ["while (x < LIMIT) and not done(x):", "if ready(x) and (x == 'y'):"],
        "negation": ["while x <= LIMIT and (done(x)):"],
        "forgotten statement": ["pass", "pass", "pass", "pass"],
        "truth": ["self.seen[x] = False"],
    }


def test_a_mutant_names_the_lines_of_which_one_must_run() -> None:
    source = "LIMIT = 1\n\n\ndef f(x):\n    if (\n        x < 2\n    ):\n        return [\n            3\n        ]\n"
    needs = {mutant.before: mutant.needs for mutant in mutants_of(source)}
    assert needs == {"1": None, "x < 2": range(5, 8), "2": range(5, 8), "3": range(8, 11)}


def test_lines_that_run_are_those_of_the_files_that_are_watched(tmp_path: Path) -> None:
    namespaces: list[dict[str, Callable[[bool], None]]] = [{}, {}]
    for name, namespace in zip(("one.py", "other.py"), namespaces, strict=True):
        source = "def f(deep):\n    if deep:\n        return f(False)\n    return None\n\ndef g(deep):\n    pass\n"
        exec(compile(source, str(tmp_path / name), "exec"), namespace)  # noqa: S102 - ours, from a file of this name
    before = sys.gettrace()
    with reached([str(tmp_path / "one.py")]) as lines:
        for namespace in namespaces:
            namespace["f"](True)
    namespaces[0]["g"](True)  # what runs later does not count
    assert lines == {str(tmp_path / "one.py"): {2, 3, 4}}
    assert sys.gettrace() is before


OTHERS = ("systems/quorum/protocol.py", "systems/quorum/storage.py")


@pytest.mark.slow
@pytest.mark.parametrize("file", [*OTHERS, "systems/parts/breaker.py"])
def test_every_mutant_of_real_code_is_other_code_that_compiles(file: str) -> None:
    source = (Path(__file__).parents[2] / file).read_text()
    mutants = mutants_of(source)
    assert len(mutants) > 20
    for mutant in mutants:
        assert ast.dump(ast.parse(mutant.applied(source))) != ast.dump(ast.parse(source)), mutant


def test_form_feeds_and_other_ends_of_lines_of_a_text_are_no_lines_of_code() -> None:
    source = 'name = "a\u2028b"\n\f\ndef f(a, b):\n    return a < b\n'
    [compared] = [mutant for mutant in mutants_of(source) if mutant.operator == "comparison"]
    assert (compared.before, compared.after) == ("a < b", "(a <= b)")


def test_no_two_drills_are_tried_with_the_same_seed() -> None:
    assert seeds_of(["a"], 3) == [("a", 1), ("a", 2), ("a", 3)]
    assert seeds_of(["a", "b"], 2) == [("a", 1), ("b", 2), ("a", 3), ("b", 4)]


@pytest.mark.slow
def test_mutants_are_noticed_or_survive_or_are_in_lines_that_no_run_reaches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    options = ["--drill", "quorum/isolated", "--seeds", "1"]
    names = ["--file", "comparing.py", "--file", "protocol.py", "--file", "parts/hints.py"]
    assert run(["mutate", "quorum", *names, *options, "--mutants", "12", "--json", "tried.json"]) == 1
    tried = json.loads((tmp_path / "tried.json").read_text())
    fates = {fate: [each for each in tried if each["fate"] == fate] for fate in ("killed", "survived", "unreached")}
    assert len(tried) == 12
    assert all(each["drill"] == "quorum/isolated" and each["why"] for each in fates["killed"])
    assert fates["killed"]
    assert all(each["runs"] == 0 for each in fates["unreached"])
    assert "systems/quorum/comparing.py" in {each["file"] for each in fates["unreached"]}  # it never compares and sets

    assert run(["mutate", "quorum", *names, *options, "--again", "tried.json", "--json", "again.json"]) == 1
    again = json.loads((tmp_path / "again.json").read_text())
    assert {each["fate"] for each in again} <= {"survived", "unreached"}
    assert len(again) >= 12 - len(fates["killed"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["quoram"], "There is no system 'quoram' in systems. There are: bus, eventual, featured,"),
        (["quorum", "--file", "nothing.py"], "has no code in 'nothing.py'. It has batch_rules.py, client.py,"),
        (["quorum", "--file", "parts/nothing.py"], "systems/parts has no code in 'parts/nothing.py'. It has breaker.py"),
        (["training"], "No drill of 'training' can be simulated"),
        (["quorum", "--drill", "quorum/helthy"], "No drill called 'quorum/helthy'. Did you mean 'quorum/healthy'?"),
        (["quorum", "--drill", "redis/split_brain"], "redis/split_brain cannot be simulated: n1 is a foreign program"),
        (["quorum", "--again", "nothing.json"], "nothing.json cannot be read: No such file"),
        (["quorum", "--again", "latin-1.json"], "latin-1.json is not what `harness mutate --json` writes"),
    ],
)
def test_bad_input_is_one_line(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "latin-1.json").write_bytes(b'[{"file": "\xe9"}]')
    assert run(["mutate", *arguments]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert message in line
