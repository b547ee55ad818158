"""Everything that can be judged of the nodes only by seeing all of them at once, and inside."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import cast

from systems.eventual.agreeing_rules import AgreedHoldTheSame, ComparedInTurn
from systems.eventual.batch_rules import TogetherNoneIsLost
from systems.eventual.graves_rules import CountedHaveHad, DroppedAfterGrace, DroppedForGood
from systems.eventual.invariant import EventualSafety
from systems.eventual.outbox_rules import UntoldWhileAllLackIt
from systems.eventual.resolution import Resolution
from systems.eventual.session_rules import DeniedIsGone
from systems.eventual.shown import Shown
from systems.eventual.write_rules import LaterWriteWins
from systems.parts.merkle_rules import FindsAllDifferences
from systems.parts.rules import Rule, first_broken


class Watch:
    """Checks what replicas hold, and the rules of tombstones, sessions, writes (alone and together), hints and comparisons."""

    def __init__(self, resolution: Resolution, *, agreement: bool, grace_s: float) -> None:
        """For `agreement` see `EventualSafety`, for `grace_s` `DroppedAfterGrace`."""
        self._resolution = resolution
        self._safety = EventualSafety(agreement=agreement)
        self._comparisons = FindsAllDifferences()
        self._rules: tuple[Rule[Shown], ...] = (
            DroppedForGood(resolution),
            CountedHaveHad(resolution),
            DroppedAfterGrace(resolution, grace_s=grace_s),
            DeniedIsGone(resolution),
            LaterWriteWins(),
            TogetherNoneIsLost(),
            UntoldWhileAllLackIt(),
            AgreedHoldTheSame(resolution),
            ComparedInTurn(),
        )

    def broken(self, states: Mapping[str, object]) -> str | None:
        # One copy for all rules, which compare it with the next one: what nodes show goes on changing.
        shown = {name: replace(one, states=dict(one.states)) for name, one in cast(Mapping[str, Shown], states).items()}
        safety, rules = self._safety.broken(self._versions(shown)), first_broken(self._rules, shown)  # all of them have to look
        trees = {name: (state.tree, state.states) for name, state in shown.items() if state.tree is not None}
        return safety or rules or self._comparisons.broken(trees)

    def apart(self, states: Mapping[str, object]) -> str | None:
        return self._safety.apart(self._versions(cast(Mapping[str, Shown], states)))

    def _versions(self, shown: Mapping[str, Shown]) -> dict[str, object]:
        """By node, key, version and value of everything that it holds."""
        versions = self._resolution.versions
        return {
            name: [(key, version, value) for key, held in state.states.items() for version, value in versions(held)]
            for name, state in shown.items()
        }
