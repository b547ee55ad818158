"""What holds at any moment over all replicas at once: no version of a key ever stands for two values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from systems.quorum.messages import Version
from systems.quorum.replica import Held


class OneValueAVersion:
    """See the module. It remembers all that it has seen, for the other value may be gone from where it was.

    A history of reads shows that only if both values are read.
    """

    def __init__(self) -> None:
        self._seen: dict[tuple[str, Version], tuple[str, str | None]] = {}

    def broken(self, states: Mapping[str, object]) -> str | None:
        for name, state in states.items():
            for held in cast(list[Held] | None, state) or ():
                first, value = self._seen.setdefault((held.key, held.entry.version), (name, held.entry.value))
                if value != held.entry.value:
                    version = held.entry.version
                    return (
                        f"version {version.counter} of {version.writer} of key {held.key} stands for two values:"
                        f" {value} on {first}, and {held.entry.value} on {name}"
                    )
        return None
