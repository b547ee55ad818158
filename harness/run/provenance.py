"""The provenance of a run: machine, package versions, commit."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Final

import psutil

from results.record.result import Machine

_PACKAGES: Final = (
    "distributed-ml-harness", "httptools", "msgspec", "numpy", "pandas", "redis", "safetensors", "scikit-learn",
    "toxiproxy-python", "torch", "uvloop",
)  # fmt: skip


def machine() -> Machine:
    """This machine."""
    return Machine(
        cpu=_cpu_model(),
        cores=len(os.sched_getaffinity(0)),
        memory_gib=round(psutil.virtual_memory().total / 2**30, 1),
        kernel=platform.release(),
        python=platform.python_version(),
    )


def versions() -> dict[str, str]:
    """Versions of the installed packages that affect what a run does."""
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def environment() -> dict[str, str]:
    """Every installed package with its version."""
    found = {package.metadata["Name"]: package.version for package in metadata.distributions()}
    return dict(sorted(found.items(), key=lambda item: item[0].lower()))


def commit() -> str:
    """The commit of the working directory, "+" if it has changes, "" if it is not a repository."""
    try:
        described = subprocess.run(
            ["git", "describe", "--always", "--abbrev=12", "--dirty=+", "--exclude=*"],  # noqa: S607 - whichever git is there
            capture_output=True, text=True, check=False, timeout=5,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return described.stdout.strip() if described.returncode == 0 else ""


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
