"""The modules of the fault plane import each other in one direction, for type checkers too."""

from __future__ import annotations

import ast
from graphlib import TopologicalSorter

from tests.helpers.plane_world import ROOT

FOLDER = ROOT / "faults"


def test_no_module_of_the_plane_imports_itself_in_a_circle() -> None:
    paths = {".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in FOLDER.glob("plane/**/*.py")}
    modules = {name.removesuffix(".__init__"): path for name, path in paths.items()}
    imported: dict[str, set[str]] = {name: set() for name in modules}
    for name, path in modules.items():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module:
                for wanted in {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)} & modules.keys():
                    imported[name].add(wanted)
    del imported["faults.plane"]  # empty: every module of the package "imports" it
    for targets in imported.values():
        targets.discard("faults.plane")
    assert list(TopologicalSorter(imported).static_order())
