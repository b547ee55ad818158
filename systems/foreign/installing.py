"""Installs foreign programs for which the operating system has no package: builds them once and keeps them in the cache."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from harness.model.errors import HarnessError, UsageError


def built_by_go(module: Path, target: Path) -> Path:
    """Build the Go module in a folder; returns `target`, which exists only when it is complete.

    Raises `UsageError` if Go is missing, `HarnessError` with Go's output if it fails.
    """
    wanted = re.search(r"^go (\S+)$", (module / "go.mod").read_text(), re.MULTILINE)
    go = tool("go", f"Install Go{f' {wanted[1]} or newer' if wanted else ''}.")
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix="building-") as folder:
        for file in (*module.glob("*.go"), module / "go.mod"):
            shutil.copy(file, folder)
        carry_out([go, "build", "-mod=mod", "-o", "built", "."], Path(folder))
        (Path(folder) / "built").replace(target)
    return target


def tool(name: str, hint: str) -> str:
    """The path of a program needed for installing. Raises `UsageError` if it is not on PATH."""
    path = shutil.which(name)
    if path is None:
        raise UsageError(f"Installing this needs `{name}`, which is not on PATH. {hint}")
    return path


def carry_out(command: Sequence[str], folder: Path) -> None:
    """Run a program in a folder. Raises `HarnessError` with the end of its output if it fails."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        said = " ".join((done.stderr or done.stdout).split())
        raise HarnessError(f"`{' '.join([Path(command[0]).name, *command[1:]])}` failed: {said[-300:]}")
