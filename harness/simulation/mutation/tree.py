"""A copy of the code, in which one file is changed at a time: the code that runs is never touched."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import cache_from_source
from pathlib import Path
from typing import Final

from harness import roots
from harness.model.errors import UsageError
from harness.simulation.sweep import OtherCode

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

    @contextmanager
    def changed(self, file: Path, change: Callable[[str], str]) -> Iterator[None]:
        """Change the source of the copy of a file, inside."""
        copied = self.place(file)
        source = copied.read_text(encoding="utf-8")
        _write(copied, change(source))
        try:
            yield
        finally:
            _write(copied, source)

    @property
    def code(self) -> OtherCode:
        """The settings of a process that imports the copies."""
        return OtherCode(self.users, {**roots.environment(), "PYTHONPATH": str(self.own)})


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


def name_of(file: Path) -> str:
    """The name of a file of `code_of` from the folder `systems` on."""
    return Path(*file.parts[len(file.parts) - 1 - file.parts[::-1].index("systems") :]).as_posix()


def _write(file: Path, source: str) -> None:
    """Write code and drop its bytecode: Python would take that for the new code if both have the same second and size."""
    file.write_text(source, encoding="utf-8")
    Path(cache_from_source(str(file))).unlink(missing_ok=True)


def _root() -> Path:
    return Path(roots.__file__).resolve().parent.parent
