"""Everything that can be judged of the nodes only by seeing all of them at once, and inside."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from systems.parts.rules import Rule, first_broken
from systems.quorum.batch_rules import TogetherAsInTurn
from systems.quorum.comparing_rules import BallotsOnlyRise, DoubtfulWhenOvertaken, HandsOnWhose, UndoneStaysUndone
from systems.quorum.invariant import OneValueAVersion
from systems.quorum.placement import Placement
from systems.quorum.rebuilding_rules import RebuildsAfterPhases, RebuiltRemembers
from systems.quorum.shown import Shown
from systems.quorum.told_rules import ToldIsFound
from systems.quorum.upkeep_rules import AsksWhoAnswers, ComparedInTurn, DigestsCoverEntries, DroppedForGood, KeptUntilTaken


class Watch:
    """Checks what nodes hold, and the rules of compare-and-set, of their background work, and of replicas that rebuild logs."""

    def __init__(
        self,
        placement: Placement,
        *,
        write: int,
        read: int | None = None,
        repairs: bool,
        durable: bool,
        tombstones_dropped: bool,
    ) -> None:
        """For the arguments see `OneValueAVersion`. `read`: see `ToldIsFound`; None if quorums need not meet."""
        self._held = OneValueAVersion(
            placement, write=write, repairs=repairs, durable=durable, tombstones_dropped=tombstones_dropped
        )
        self._rules: list[Rule[Shown]] = [
            UndoneStaysUndone(placement),
            DoubtfulWhenOvertaken(placement),
            BallotsOnlyRise(durable=durable),
            HandsOnWhose(),
            ComparedInTurn(),
            AsksWhoAnswers(),
            DigestsCoverEntries(),
            DroppedForGood(),
            RebuiltRemembers(placement, write=write),
            RebuildsAfterPhases(),
            TogetherAsInTurn(),
        ]
        if durable:
            self._rules.append(KeptUntilTaken(tombstones_dropped=tombstones_dropped))
        if durable and read is not None:
            self._rules.append(ToldIsFound(placement, read=read, tombstones_dropped=tombstones_dropped))

    def broken(self, states: Mapping[str, object]) -> str | None:
        shown = cast(Mapping[str, Shown], states)
        held, rules = self._held.broken(_entries(shown)), first_broken(self._rules, shown)  # all of them have to look
        return held or rules

    def apart(self, states: Mapping[str, object]) -> str | None:
        return self._held.apart(_entries(cast(Mapping[str, Shown], states)))


def _entries(shown: Mapping[str, Shown]) -> dict[str, object]:
    return {name: state.entries for name, state in shown.items()}
