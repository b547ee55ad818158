"""Find what can be imported in files and folders, and read it."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

from harness.model.errors import UsageError
from harness.run import imports
from results.record.nights.importing import Found
from results.record.store import of_a_node

_SUFFIXES = (".json", ".csv")


class Importer(Protocol):
    """A module of this folder that reads one kind of file."""

    def takes(self, file: Path) -> bool: ...

    def read(self, file: Path) -> list[Found]: ...


def found_in(paths: Sequence[Path]) -> Iterator[Found]:
    """Everything that can be imported from these files and folders. Raises `UsageError` for a path with nothing to import."""
    importers = _importers()
    for path in paths:
        if not path.exists():
            raise UsageError(f"There is no {path}.")  # neither a file nor a folder
        any_found = False
        for file in _files(path):
            importer = next((one for one in importers if one.takes(file)), None)
            if importer is not None:
                any_found = True
                yield from importer.read(file)
        if not any_found:
            raise UsageError(
                f"There is nothing to import in {path}: neither a run's folder, nor a result of `harness load`, nor a JSON file"
                " of pytest-benchmark, nor a CSV file of locust."
            )


def _files(path: Path) -> Iterator[Path]:
    """The file itself, or all readable files of a folder in a stable order, without those that the nodes of runs wrote."""
    if path.is_file():
        yield path
        return
    files = (file for file in path.rglob("*") if file.suffix in _SUFFIXES and not of_a_node(file, path))
    yield from sorted(file for file in files if file.is_file())


def _importers() -> list[Importer]:
    found: list[Importer] = []
    for _, name, _ in pkgutil.iter_modules(imports.__path__):
        module = importlib.import_module(f"{imports.__name__}.{name}")
        if hasattr(module, "takes"):
            found.append(module)
    return found
