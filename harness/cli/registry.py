"""Finds the commands: every public module of this folder that defines `execute(arguments)`.

A command's module has the command's name. The first line of its docstring is its line in `harness --help`;
`add_options(parser)`, if present, adds its options. Modules are read as text, neither imported nor parsed, because every
command waits for this.
"""

from __future__ import annotations

import argparse
import re
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Final

_EXECUTES: Final = re.compile(r"^def execute\(", re.MULTILINE)
_SUMMARY: Final = re.compile(r'"""(.+?)\.?(?:"""|$)', re.MULTILINE)


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
        source = file.read_text(encoding="utf-8")
        if _EXECUTES.search(source):
            summary = _SUMMARY.match(source)
            found[file.stem] = Command(name=file.stem, summary=summary[1] if summary else "")
    return found
