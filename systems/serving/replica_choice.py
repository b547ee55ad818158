"""Strategies that choose a replica for a request."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Protocol, TypeVar

from systems.serving.settings import Strategy


class Candidate(Protocol):
    """What strategies need to know about a replica."""

    outstanding: int
    """How many requests were sent to it and have no answer yet."""
    turn: int
    """Increases whenever it is chosen, so that the smallest one has waited longest."""


C = TypeVar("C", bound=Candidate)


def round_robin(candidates: Sequence[C]) -> C:
    """The replica that has waited longest for its turn."""
    return min(candidates, key=lambda candidate: candidate.turn)


def least_outstanding(candidates: Sequence[C]) -> C:
    """The replica with the fewest outstanding requests; among equals, the one that has waited longest."""
    return min(candidates, key=lambda candidate: (candidate.outstanding, candidate.turn))


def two_choices(candidates: Sequence[C], random: Random) -> C:
    """Of two random replicas, the one with fewer outstanding requests.

    Nearly as even as comparing all, at a constant cost, and many balancers do not all rush to the same replica: Mitzenmacher,
    "The Power of Two Choices in Randomized Load Balancing", IEEE TPDS 2001.
    """
    count = len(candidates)
    if count == 1:
        return candidates[0]
    first = int(random.random() * count)
    second = int(random.random() * (count - 1))
    one, other = candidates[first], candidates[second + (second >= first)]
    return one if one.outstanding <= other.outstanding else other


def chosen(strategy: Strategy, candidates: Sequence[C], random: Random) -> C:
    """The replica that a strategy picks among candidates, of which there is at least one."""
    match strategy:
        case "two-choices":
            return two_choices(candidates, random)
        case "least-outstanding":
            return least_outstanding(candidates)
        case "round-robin":
            return round_robin(candidates)
