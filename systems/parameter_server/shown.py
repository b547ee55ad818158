"""What the nodes of a parameter server show to its invariant."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from systems.parameter_server.messages import NOTHING_SEEN
from systems.parameter_server.protocol import Outcome, Promise, Promises
from systems.parameter_server.updates import Task

NOTHING_TAKEN: Final = (0, NOTHING_SEEN)
"""Term and step of a worker that has taken no work since its start."""


@dataclass(frozen=True, kw_only=True)
class ShownRound:
    """A master's current step, in the synchronous mode."""

    step: int
    took_part: frozenset[str]
    """The workers that were heard after it began."""
    complete: bool
    asleep: bool
    """Whether the master waits until it is told that the step is complete, and was not told."""


@dataclass(frozen=True, kw_only=True)
class ShownUpdates:
    """What a master without rounds has given out."""

    version: int
    """The number of updates applied, with those before its term."""
    next: int
    """All batches before this one were given out at some time."""
    waiting: tuple[int, ...]
    """Those of them that were not applied, and that no worker has."""
    given: Mapping[str, Task]
    """What each worker has."""
    clocks: Mapping[str, int]
    bound: int | None
    judged: Callable[[str, Task], Outcome]
    """What would become of a worker's gradient now."""


@dataclass(frozen=True, kw_only=True)
class ShownServer:
    """What a server shows."""

    term: int
    """The highest term that it knows."""
    leads: int | None
    """The term that it leads now …"""
    began_s: float
    """… since when …"""
    work: ShownRound | ShownUpdates | None
    """… and how far it is."""


@dataclass(frozen=True, kw_only=True)
class ShownWorker:
    """What a worker shows."""

    promises: Promises
    durable: Promise
    """What its disk has of its promises."""
    at: tuple[int, int]
    """Term and step of the last work that it took."""
    now_s: float
    """The time on its own clock."""
