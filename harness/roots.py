"""Where modules come from: the harness's own packages from beside `harness`, a user's from beside their folder `drills`.

A drill `/home/me/drills/mine.py` may import `/home/me/counter.py` as `counter` and `/home/me/systems/counter.py` as
`systems.counter`: the packages `systems`, `workloads`, `faults` and `drills` take in a user's folders of the same names, and
`harness.checkers` takes in `checkers`. A user's folders never hide the harness's own, wherever they stand in `sys.path`.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Final

DRILLS: Final = "drills"
_OPEN: Final = {
    "systems": "systems",
    "workloads": "workloads",
    "faults": "faults",
    "harness.checkers": "checkers",
    DRILLS: DRILLS,
}
"""By package, the name of the user's folder that extends it."""

_OWN: Final = ("systems", "workloads", "faults", "results", DRILLS)
_added: Final[list[Path]] = []


def claim() -> None:
    """Load the harness's own packages from beside this one. Raises `ImportError` if others of these names came first."""
    beside = Path(__file__).resolve().parent.parent
    for name in _OWN:
        file = beside / name / "__init__.py"
        loaded = sys.modules.get(name)
        if loaded is None:
            spec = spec_from_file_location(name, file)
            if spec is None or spec.loader is None:
                raise ImportError(f"the harness is not complete: there is no {file}")
            module = sys.modules[name] = module_from_spec(spec)
            spec.loader.exec_module(module)
        elif str(beside / name) not in map(_resolved, getattr(loaded, "__path__", ())):
            raise ImportError(
                f"the harness needs its own package {name!r}; another one, {loaded}, was imported before it."
                " Import harness first, or rename yours."
            )


def add(root: Path) -> None:
    """Make importable what a user keeps in `root`, here and in the processes of every run from now on."""
    root = root.resolve()
    if root in _added or not root.is_dir():
        return
    _added.append(root)
    if str(root) not in map(_resolved, sys.path):
        sys.path.append(str(root))
    for package, folder in _OPEN.items():
        path = import_module(package).__path__
        if (root / folder).is_dir() and str(root / folder) not in map(_resolved, path):
            path.append(str(root / folder))


def program(module: str) -> list[str]:
    """The command that runs one of our modules as a program, whatever the working directory holds. Needs `environment()`."""
    return [sys.executable, "-P", "-m", "harness.launch", module]


def environment() -> dict[str, str]:
    """This process's environment, with a PYTHONPATH on which a child finds what we find: ours first, then the user's."""
    own = str(Path(__file__).resolve().parent.parent)
    users = {str(root) for root in _added}
    path = [str(Path(entry).absolute()) for entry in sys.path]
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([*(entry for entry in path if entry not in users), own, *map(str, _added)]),
    }


def sources(folder: Path) -> list[Path]:
    """The Python files in a folder and below it, sorted by name. Folders are left out, whatever they are called.

    So is what is hidden, such as the copies that editors keep in `.ipynb_checkpoints`.
    """
    found = (path for path in folder.glob("**/*.py") if path.is_file())
    return sorted(path for path in found if not any(part.startswith(".") for part in path.relative_to(folder).parts))


def is_drill(path: Path) -> bool:
    """Whether a file is a drill: Python, somewhere in a folder `drills`, and not marked as private by its name."""
    return path.suffix == ".py" and DRILLS in path.parts[:-1] and not path.name.startswith("_") and path.name != "conftest.py"


def root_of(drill: Path) -> Path:
    """The folder of a drill's own modules: the one that contains `drills`, or else the file's own."""
    parts = drill.resolve().parts
    return Path(*parts[: len(parts) - 1 - parts[::-1].index(DRILLS)]) if DRILLS in parts[:-1] else drill.resolve().parent


def added() -> list[Path]:
    """The folders that were added, in their order."""
    return list(_added)


def _resolved(entry: str) -> str:
    return str(Path(entry).resolve())
