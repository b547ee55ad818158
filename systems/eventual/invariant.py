"""The invariant of all replicas together: no version of a key ever stands for two values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast


class OneValueAVersion:
    """See the module. It remembers every value that it has seen, because its replica may have replaced it since.

    Replicas that hold two values under one version mistake each other's value for their own, and never agree.
    """

    def __init__(self) -> None:
        self._seen: dict[tuple[str, str], tuple[str, str | None]] = {}

    def broken(self, states: Mapping[str, object]) -> str | None:
        for name, state in states.items():
            for key, version, value in cast(list[tuple[str, str, str | None]], state):
                first, before = self._seen.setdefault((key, version), (name, value))
                if before != value:
                    return f"version {version} of key {key} stands for two values: {before} on {first}, and {value} on {name}"
        return None
