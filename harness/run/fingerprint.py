"""A digest of all code that takes part in a run, so that results of other code are not mistaken for results of this code."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Final

from harness import roots

_PACKAGES: Final = ("harness", "harness.checkers", "systems", "workloads", "faults", "results", "drills")
_NO_PART: Final = ("harness/cli", "harness/ui", "harness/pytest_plugin", "results/report")
"""Code that starts runs and shows results, but does not affect them."""


def code_fingerprint() -> str:
    """SHA-256 of the names and contents of every module of the project, and of the user's modules that drills may import."""
    digest = hashlib.sha256()
    for name, file in sorted(_files()):
        content = file.read_bytes()
        digest.update(f"{name}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()


def _files() -> Iterator[tuple[str, Path]]:
    for package in _PACKAGES:
        for number, root in enumerate(map(Path, import_module(package).__path__)):
            for file in roots.sources(root):
                name = f"{package.replace('.', '/')}/{file.relative_to(root).as_posix()}"
                if not name.startswith(_NO_PART):
                    yield f"{number} {name}", file
    for number, root in enumerate(roots.added()):
        for file in (*(path for path in root.glob("*.py") if path.is_file()), *roots.sources(root / roots.DRILLS)):
            yield f"{number} own {file.relative_to(root).as_posix()}", file
