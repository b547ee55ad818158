"""A copy of the code, in which one file is changed at a time: the code that runs is never touched."""

from __future__ import annotations

import shutil
from importlib import import_module
from pathlib import Path
from typing import Final

from harness import roots
from harness.model.errors import UsageError

_OWN: Final = ("harness", "systems", "workloads", "faults", "results", "drills", "torch_drills")
_NO_CODE: Final = ("__init__.py", "bugs.py")
_KNOWN_BAD: Final = "known_bad"


class Tree:
    """A copy of the harness's packages and of a user's, in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.own, self.users = folder / "own", folder / "users"
        for package in _OWN:
            shutil.copytree(_root() / package, self.own / package, ignore=shutil.ignore_patterns("__pycache__"))
        self.users.mkdir(parents=True)
        for root in roots.added():
            if root != _root() and (root / roots.DRILLS).is_dir():
                for file in roots.sources(root):
                    copied = self.users / file.relative_to(root)
                    copied.parent.mkdir(parents=True, exist_ok=True)
                    copied.write_bytes(file.read_bytes())

    def place(self, file: Path) -> Path:
        """Where the copy of a file is."""
        if file.is_relative_to(_root()):
            return self.own / file.relative_to(_root())
        root = next(root for root in roots.added() if file.is_relative_to(root))
        return self.users / file.relative_to(root)

    def environment(self) -> dict[str, str]:
        """For a process that finds the copies."""
        return {**roots.environment(), "PYTHONPATH": str(self.own)}


def code_of(system: str) -> list[Path]:
    """The files of a system whose code does something: all but its topology and its known bugs.

    Raises `UsageError` if there is no such package or module in `systems`.
    """
    known = set()
    for folder in map(Path, import_module("systems").__path__):
        known |= {path.stem for path in folder.iterdir() if path.is_dir() or path.suffix == ".py"}
        package = folder / system
        if package.is_dir():
            return [file for file in roots.sources(package) if file.name not in _NO_CODE and _KNOWN_BAD not in file.parts]
        if package.with_suffix(".py").is_file():
            return [package.with_suffix(".py")]
    names = ", ".join(sorted(name for name in known if not name.startswith("_")))
    raise UsageError(f"There is no system {system!r} in systems. There are: {names}.")


def _root() -> Path:
    return Path(roots.__file__).resolve().parent.parent
