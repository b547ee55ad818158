"""Everything that can be judged of the nodes only by seeing all of them at once, and inside."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from systems.partitioned.duties import NothingOverdue
from systems.partitioned.imagined import ConfirmsInItsEpoch, DiscardsWhatIsOnItsWay, EmptiesOnlyWhatIsCopied
from systems.partitioned.invariant import OneOwnerWhoHasIt
from systems.partitioned.own_rules import AsksWhoAnswers, HoldsOnlyItsOwn, RefusesOnlyForAWhile
from systems.partitioned.partition_map import PartitionMap
from systems.partitioned.rate_rules import CopiesKeepToTheirRate
from systems.parts.rules import Rule, first_broken


class Watch:
    """Checks maps and what nodes hold, and rules of the coordinator and of copies. In the end all nodes use the same map."""

    def __init__(self) -> None:
        self._held = OneOwnerWhoHasIt()
        self._rules: tuple[Rule[Mapping[str, object]], ...] = (
            NothingOverdue(),
            HoldsOnlyItsOwn(),
            DiscardsWhatIsOnItsWay(),
            ConfirmsInItsEpoch(),
            EmptiesOnlyWhatIsCopied(),
            RefusesOnlyForAWhile(),
            AsksWhoAnswers(),
            CopiesKeepToTheirRate(),
        )

    def broken(self, states: Mapping[str, object]) -> str | None:
        shown = cast(Mapping[str, Mapping[str, object]], states)
        held, rules = self._held.broken(states), first_broken(self._rules, shown)  # all of them have to look
        return held or rules

    def apart(self, states: Mapping[str, object]) -> str | None:
        maps = {name: cast(Mapping[str, PartitionMap | None], state)["map"] for name, state in states.items()}
        epochs = {name: one.epoch if one else 0 for name, one in maps.items()}
        newest = max(epochs.values(), default=0)
        return next(
            (f"{name} uses the map of epoch {epoch}, not {newest}" for name, epoch in epochs.items() if epoch < newest), None
        )
