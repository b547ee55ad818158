"""Featured's known bugs: wrong circuit breakers, and answers that are not what they say or what was asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from harness.model.bug import Bug, BugCatalog
from systems.featured.messages import Source
from systems.parts.breaker import Breaker
from systems.parts.breaker_bugs import BlamesForCancels, NeverCloses, NeverOpens, OpensAtOnce, SeesNoFailures, SeesNoSlowness


@dataclass(frozen=True, kw_only=True)
class Variant:
    """The class of the circuit breakers, and which source a score from average features names."""

    breaker: type[Breaker] = Breaker
    fallback_source: Source = "fallback"
    exact_is_kept: bool = True
    """A client that asks for an exact score gets an exact one or none."""


CORRECT: Final = Variant()

BUGS: Final = BugCatalog(
    CORRECT,
    Bug(
        "unmarked-fallback",
        "a score from average features passes for an exact one",
        Variant(fallback_source="features"),
        caught_by=("featured/slow_features", "one_of_the_right"),
    ),
    Bug(
        "exact-or-not",
        "clients that asked for an exact score get one from average features",
        Variant(exact_is_kept=False),
        caught_by=("featured/features_fail_exactly", "one_of_the_right"),
    ),
    Bug(
        "opens-at-once",
        "one failed call opens a breaker",
        Variant(breaker=OpensAtOnce),
        caught_by=("featured/few_too_slow", "availability >= 90%"),
    ),
    Bug(
        "never-closes",
        "a breaker that opened stays open for good",
        Variant(breaker=NeverCloses),
        caught_by=("featured/slow_features", "one_of_the_right"),
    ),
    Bug(
        "errors-are-answers",
        "a breaker takes an error that the feature service answers for an answer",
        Variant(breaker=SeesNoFailures),
        caught_by=("featured/features_fail_slowly", "p50 < 50ms"),
    ),
    Bug(
        "slow-is-fine",
        "a breaker opens for failures only, however slow the answers are",
        Variant(breaker=SeesNoSlowness),
        caught_by=("featured/features_nearly_too_slow", "p50 < 50ms"),
    ),
    Bug(
        "cancel-is-failure",
        "a client that gives up counts as a failure of the feature service",
        Variant(breaker=BlamesForCancels),
        caught_by=("featured/clients_hang_up", "availability >= 60%"),
    ),
    Bug(
        "no-breaker",
        "every request waits for the feature service, no matter how long it has been down",
        Variant(breaker=NeverOpens),
        caught_by=("featured/slow_features", "availability >= 99.9%"),
    ),
)
