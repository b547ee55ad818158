"""Finding the classes of a noun: what is imported, what is not, and the message for a broken module."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness.run.class_finder import FoundClasses, find_classes
from tests.helpers.engine import harness

Finder = Callable[[dict[str, str]], FoundClasses]

SYSTEM = "from dataclasses import dataclass\n\n@dataclass(frozen=True)\nclass {name}{bases}:\n    def nodes(self): return []\n"


@pytest.fixture
def find(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Finder]:
    """Write files of a package `mine`, and find the classes in it that have a method `nodes`."""
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)

    def found(files: dict[str, str]) -> FoundClasses:
        for name, text in {"__init__": "", **files}.items():
            file = tmp_path / "mine" / f"{name}.py"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        return find_classes(importlib.import_module("mine"), lambda kind: hasattr(kind, "nodes"), method="nodes")

    yield found
    for name in set(sys.modules) - before:
        if name.split(".")[0] == "mine":
            del sys.modules[name]


def names(found: FoundClasses) -> list[str]:
    return [kind.__name__ for kind in found.classes]


def test_classes_are_found_in_modules_and_packages_of_any_depth(find: Finder) -> None:
    files = {"a": SYSTEM, "b/__init__": SYSTEM, "b/c": SYSTEM, "d/e/f": SYSTEM}
    found = find({name: text.format(name=f"In{number}", bases="") for number, (name, text) in enumerate(files.items())})
    assert names(found) == ["In0", "In1", "In2", "In3"]
    assert not found.broken


@pytest.mark.parametrize(
    "bases",
    ["from mine.base import Base\n|(Base)", "import mine.base as b\n|(b.Base)", "from mine.base import Base as B\n|(B)"],
)
def test_a_class_that_inherits_the_method_is_found_whatever_its_base_is_called(find: Finder, bases: str) -> None:
    header, base = bases.split("|")
    variant = f"{header}from dataclasses import dataclass\n@dataclass(frozen=True)\nclass Variant{base}: ...\n"
    assert names(find({"base": SYSTEM.format(name="Base", bases=""), "variant": variant})) == ["Base", "Variant"]


def test_a_class_that_inherits_the_method_from_one_that_is_no_dataclass_is_found(find: Finder) -> None:
    base = "class Base:\n    def nodes(self): return []\n"
    variant = "from dataclasses import dataclass\nfrom mine.base import Base\n@dataclass\nclass Variant(Base): ...\n"
    assert names(find({"base": base, "variant": variant})) == ["Variant"]


@pytest.mark.parametrize(
    ("module", "text"),
    [
        ("plain", "# dataclass\nclass Plain:\n    def nodes(self): ...\n1 / 0"),
        ("private", "from dataclasses import dataclass\n@dataclass\nclass _Private:\n    def nodes(self): ...\n1 / 0"),
        ("other", "from dataclasses import dataclass\n@dataclass\nclass Other:\n    def calls(self): ...\n1 / 0"),
        ("nested", "from dataclasses import dataclass\ndef nodes(): ...\n@dataclass\nclass Other: ...\n1 / 0"),
        ("_private", "1 / 0 #" + SYSTEM),
        ("package/__main__", "1 / 0 #" + SYSTEM),
    ],
)
def test_a_module_without_a_class_of_the_noun_is_not_imported(find: Finder, module: str, text: str) -> None:
    found = find({module: text})
    assert (names(found), found.broken) == ([], [])


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("import no_such_module\n" + SYSTEM.format(name="Lost", bases=""), "ModuleNotFoundError: No module named"),
        (SYSTEM.format(name="Lost", bases="") + "1 / 0", "ZeroDivisionError: division by zero"),
        (SYSTEM.format(name="Lost", bases="") + "x = (", "SyntaxError: '(' was never closed"),
        ("x = (", "SyntaxError: '(' was never closed"),
        ("\0", "null bytes"),
    ],
)
def test_a_broken_module_is_named_and_the_others_are_found(find: Finder, text: str, why: str) -> None:
    found = find({"broken": text, "sound": SYSTEM.format(name="Sound", bases="")})
    assert names(found) == ["Sound"]
    (broken,) = found.broken
    assert broken.name == "mine.broken"
    assert why in broken.why
    assert "\n" not in broken.why


def test_a_class_that_another_module_only_imports_is_found_once(find: Finder) -> None:
    user = "from mine.base import Base\n" + SYSTEM.format(name="Other", bases="(Base)")
    assert names(find({"base": SYSTEM.format(name="Base", bases=""), "other": user})) == ["Base", "Other"]


def test_the_list_shows_every_system_and_bug_and_imports_nothing_heavy(tmp_path: Path) -> None:
    """Node modules import PyTorch and locust's run imports gevent, which changes the standard library."""
    for name in ("torch", "gevent", "locust", "sklearn", "redis"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('imported')")
    done = harness(tmp_path, "list")
    assert done.returncode == 0, done.stderr
    assert "cannot be imported" not in done.stdout
    for name in ("DeployedServing", "LimitedServing", "RetriedServing", "FlakyServing", "Redis", "Quorum read-one"):
        assert f"\n  {name} " in done.stdout
    assert "quorum/partitioned: linearizable" in done.stdout


def test_a_folder_that_is_named_like_a_module_is_none(find: Finder, tmp_path: Path) -> None:
    (tmp_path / "mine" / "folder.py").mkdir(parents=True)
    found = find({"store": SYSTEM.format(name="Store", bases="")})
    assert names(found) == ["Store"]
    assert not found.broken
