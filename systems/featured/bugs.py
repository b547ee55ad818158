"""Known-bad variants of Featured. Each deviates from the correct code in one visible way, written beside its name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from harness.model.errors import UsageError, hint
from systems.featured.messages import Source
from systems.parts.breaker import Breaker
from systems.parts.breaker_bugs import NeverCloses, NeverOpens, OpensAtOnce


@dataclass(frozen=True, kw_only=True)
class Variant:
    """The breaker's class, and what an answer made from average features says that it was made from."""

    breaker: type[Breaker] = Breaker
    fallback_source: Source = "fallback"


CORRECT: Final = Variant()

BUGS: Final[dict[str, tuple[str, Variant]]] = {
    "no-breaker": (
        "every request waits for the feature service, however long that has been down",
        Variant(breaker=NeverOpens),
    ),
    "never-closes": ("a breaker that opened stays open for good", Variant(breaker=NeverCloses)),
    "opens-at-once": ("one failed call opens a breaker", Variant(breaker=OpensAtOnce)),
    "unmarked-fallback": ("a score from average features passes for an exact one", Variant(fallback_source="features")),
}
"""By name: what is wrong, in a line, and the parts that are different."""


def variant(bug: str | None) -> Variant:
    """The parts of a variant, the correct ones for None. Raises `UsageError` for a name that is not in the catalogue."""
    if bug is None:
        return CORRECT
    if bug not in BUGS:
        raise UsageError(f"No bug called {bug!r} in Featured. {hint(bug, BUGS)}")
    return BUGS[bug][1]
