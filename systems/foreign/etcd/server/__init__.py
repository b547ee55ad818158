"""etcd's server, as it is built for this project: its module, and a resolver for the names of its peers."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from harness.paths import cache_dir
from systems.foreign.installing import built_by_go

_SOURCE: Final = Path(__file__).parent


def installed() -> Path:
    """Where the program is, or is to be."""
    return cache_dir() / "bin" / f"etcd-{_version()}"


def install() -> Path:
    """Build it; returns where it is. Raises `UsageError` if Go is missing, `HarnessError` if it cannot be built."""
    return built_by_go(_SOURCE, installed())


def _version() -> str:
    return (_SOURCE / "go.mod").read_text().rpartition(" v")[2].strip()
