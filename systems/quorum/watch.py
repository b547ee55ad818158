"""Everything that can be judged of the nodes only by seeing all of them at once, and inside."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from systems.quorum.comparing_rules import UndoneStaysUndone
from systems.quorum.invariant import OneValueAVersion
from systems.quorum.placement import Placement
from systems.quorum.shown import Shown
from systems.quorum.upkeep_rules import DigestsCoverEntries, KeptUntilTaken


class Watch:
    """Checks what nodes hold, and the rules of compare-and-set and of their background work."""

    def __init__(
        self, placement: Placement, *, write: int, repairs: bool, durable: bool, tombstones_dropped: bool
    ) -> None:  # fmt: skip
        """For the arguments see `OneValueAVersion`."""
        self._held = OneValueAVersion(
            placement, write=write, repairs=repairs, durable=durable, tombstones_dropped=tombstones_dropped
        )
        self._undone = UndoneStaysUndone(placement)
        self._digests = DigestsCoverEntries()
        self._kept = KeptUntilTaken(tombstones_dropped=tombstones_dropped) if durable else None

    def broken(self, states: Mapping[str, object]) -> str | None:
        shown = cast(Mapping[str, Shown], states)
        kept = self._kept.broken(shown) if self._kept is not None else None
        return self._held.broken(_entries(shown)) or self._undone.broken(shown) or self._digests.broken(shown) or kept

    def apart(self, states: Mapping[str, object]) -> str | None:
        return self._held.apart(_entries(cast(Mapping[str, Shown], states)))


def _entries(shown: Mapping[str, Shown]) -> dict[str, object]:
    return {name: state.entries for name, state in shown.items()}
