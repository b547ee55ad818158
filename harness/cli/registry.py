"""Finds the commands: every public module of this folder that defines `execute(arguments)`.

A command's module has the command's name. The first line of its docstring is its line in `harness --help`;
`add_options(parser)`, if present, adds its options. Modules are parsed, not imported, so that `harness --help`
does not wait for the commands' imports.
"""

from __future__ import annotations

import argparse
import ast
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType


@dataclass(frozen=True, kw_only=True)
class Command:
    """One command of the command line."""

    name: str
    summary: str
    """The first line of its module's docstring, without its full stop."""

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        """Add the command's own options; imports its module."""
        add_options = getattr(self._module(), "add_options", None)
        if add_options is not None:
            add_options(parser)

    def execute(self, arguments: argparse.Namespace) -> int:
        """Run the command and return the exit code."""
        return int(self._module().execute(arguments))

    def _module(self) -> ModuleType:
        return import_module(f"harness.cli.{self.name}")


def commands() -> dict[str, Command]:
    """Every command by name, sorted."""
    found = {}
    for file in sorted(Path(__file__).parent.glob("[!_]*.py")):
        tree = ast.parse(file.read_bytes())
        if any(isinstance(node, ast.FunctionDef) and node.name == "execute" for node in tree.body):
            summary = (ast.get_docstring(tree) or "").partition("\n")[0].removesuffix(".")
            found[file.stem] = Command(name=file.stem, summary=summary)
    return found
