"""Imports go one way: lower layers do not import higher ones, not even for annotations."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

BELOW = {
    "harness.model": "",
    "harness.http": "harness.model",
    "harness.node": "harness.model harness.http",
    "harness.checkers": "harness.model",
    "harness.cluster": "harness.model harness.http harness.node harness.roots harness.paths torch_drills",
    "results.analysis": "harness.model",
    "results.record": "harness.model results.analysis",
    "results.trends": "harness.model results.analysis results.record",
    "results.report": "harness.model results.analysis results.record results.trends",
    "faults.plane": "harness.model harness.http harness.node",
    "faults": "harness.model",
    "torch_drills": "",
    "systems": "harness.model harness.http harness.node harness.paths harness.roots torch_drills",
    "workloads.load": "harness.model harness.http harness.node harness.roots results.analysis results.record",
    "workloads": "harness.model harness.http systems workloads.load",
    "harness.run": "harness.model harness.http harness.node harness.checkers harness.cluster harness.roots results.analysis"
    " results.record faults systems workloads drills torch_drills",
    "harness.simulation": "harness.model harness.http harness.node harness.checkers harness.cluster harness.run faults"
    " harness.roots results.analysis results.record workloads.load",
}
"""By package, what it may import besides itself. `harness.ui`, `harness.cli` and the pytest plugin stand above all of them."""


def imported(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_bytes())):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def modules() -> dict[str, set[str]]:
    """Every module of ours with the modules of ours that it imports, wherever in its code that stands."""
    folders = ("harness", "systems", "workloads", "faults", "results", "drills", "torch_drills")
    files = {
        ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): file
        for folder in folders
        for file in (ROOT / folder).rglob("*.py")
    }
    found = {}
    for name, file in files.items():
        taken = {target if target in files else target.rpartition(".")[0] for target in imported(file)}
        found[name] = {target for target in taken if target in files and target != name}
    return found


MODULES = modules()


def room(module: str) -> str | None:
    """The most specific package of the table that a module is in."""
    return max((name for name in BELOW if f"{module}.".startswith(f"{name}.")), key=len, default=None)


@pytest.mark.parametrize("package", BELOW)
def test_a_package_imports_only_what_stands_below_it(package: str) -> None:
    allowed = [package, *BELOW[package].split()]
    wrong = {
        f"{module} imports {target}"
        for module, targets in MODULES.items()
        if room(module) == package
        for target in targets
        if not any(f"{target}.".startswith(f"{name}.") for name in allowed)
    }
    assert not wrong


def test_no_imports_go_round_in_a_circle() -> None:
    TopologicalSorter(MODULES).prepare()  # raises CycleError, with the circle
