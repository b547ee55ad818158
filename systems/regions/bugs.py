"""The known bugs of regions that help each other out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from harness.model.bug import Bug, BugCatalog
from systems.parts.breaker import Breaker
from systems.parts.breaker_bugs import NeverCloses, NeverOpens


@dataclass(frozen=True, kw_only=True)
class Rules:
    """The rules that a correct edge keeps. A bug breaks the one that differs."""

    breaker: type[Breaker] = Breaker
    travels: bool = True
    """Requests that the home region cannot answer go to another region."""
    one_region_only: bool = False
    """Only one other region is asked, even if there are more."""
    nearest_first: bool = True
    travels_once: bool = True
    """A request that came from another region goes no further."""
    guests_limited: bool = True
    guests_always_leave: bool = True
    """A guest's place becomes free again, however its request ends."""
    refusals_are_answers: bool = True
    """A full region is not a broken one: its breaker does not count this as a failure."""


BUGS: Final = BugCatalog(
    Rules(),
    Bug(
        "stays-home",
        "a region refuses what it cannot answer, although other regions could",
        Rules(travels=False),
        caught_by=("regions/replicas_lost", "availability >= 99%"),
    ),
    Bug(
        "no-breaker",
        "every request waits for a region that does not answer, no matter how long it has been down",
        Rules(breaker=NeverOpens),
        caught_by=("regions/balancer_frozen", "p95 < 250ms"),
    ),
    Bug(
        "never-returns",
        "an edge never uses a region again after it failed",
        Rules(breaker=NeverCloses),
        caught_by=("regions/balancer_frozen", "replicas_return"),
    ),
    Bug(
        "farthest-first",
        "an edge asks the slowest of the other regions first",
        Rules(nearest_first=False),
        caught_by=("regions/replicas_lost", "p90 < 100ms"),
    ),
    Bug(
        "one-other-only",
        "an edge does not ask the next region if the nearest one is full",
        Rules(one_region_only=True),
        caught_by=("regions/two_lost", "availability >= 97%"),
    ),
    Bug(
        "goes-round",
        "an edge forwards a request that came from another region, possibly back again",
        Rules(travels_once=False),
        caught_by=("regions/two_lost", "p99 < 300ms"),
    ),
    Bug(
        "open-house",
        "an edge admits guests without a limit, and they displace the region's own users",
        Rules(guests_limited=False),
        caught_by=("regions/lost_at_peak", "locals_unharmed"),
    ),
    Bug(
        "guests-stay",
        "an edge never frees the place of a guest whose request failed",
        Rules(guests_always_leave=False),
        caught_by=("regions/two_lost", "all_settled"),
    ),
    Bug(
        "refusal-is-failure",
        "an edge takes a full region for a failed one, and sends all requests elsewhere",
        Rules(refusals_are_answers=False),
        caught_by=("regions/overloaded", "availability >= 50%"),
    ),
)
