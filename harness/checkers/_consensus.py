"""Logs of nodes, played back from the events that the nodes emitted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from harness.model.consensus_events import KINDS, Appended, ConsensusEvent, Installed, Truncated
from harness.model.history import History


class BrokenEvent(Exception):
    """An event whose detail is not of the form that `harness.model.consensus_events` gives its kind."""


class Told(NamedTuple):
    """An event, who emitted it and when."""

    at_ns: int
    node: str
    event: ConsensusEvent

    def __str__(self) -> str:
        return f"{self.node} at {self.at_ns / 1e9:.3f} s"


def told(history: History, *kinds: type[ConsensusEvent]) -> list[Told]:
    """The events of these kinds in the order of time. Raises `BrokenEvent` naming the first that is malformed."""
    names = {name for name, kind in KINDS.items() if kind in kinds}
    events = history.events[history.events["kind"].isin(names).to_numpy(dtype=bool)].sort_values("at_ns", kind="stable")
    found = []
    for at_ns, node, kind, detail in zip(
        events["at_ns"].tolist(), events["node"].array, events["kind"].array, events["detail"].array, strict=True
    ):
        try:
            event = msgspec.json.decode(detail if isinstance(detail, str) else "", type=KINDS[kind])
        except msgspec.DecodeError as error:
            raise BrokenEvent(f"the event {kind} of {node} at {at_ns / 1e9:.3f} s says {detail}: {error}") from error
        found.append(Told(at_ns, str(node), event))
    return found


def emitted(history: History, kinds: Sequence[str]) -> bool:
    """Whether nodes emitted events of all these kinds."""
    return set(kinds) <= set(history.events["kind"].unique())


MISSING = -1
"""The term of an entry that is not there."""


class Log:
    """The terms of the entries in one node's log."""

    def __init__(self) -> None:
        self._terms: dict[int, int] = {}
        self._base = 0
        self._last = 0

    def play(self, event: ConsensusEvent) -> None:
        """Change the log as an event tells; leave it if it tells of something else."""
        match event:
            case Appended(index=index, entry_term=term):
                if index > self._last + 1:  # what was cut off must not come back in the hole
                    self._terms = {at: held for at, held in self._terms.items() if at <= self._last}
                self._terms[index] = term
                self._last = index
            case Truncated(index=index):
                self._last = min(self._last, index - 1)
            case Installed(index=index, entry_term=term):
                self._terms = {index: term}
                self._base = self._last = index

    def term(self, index: int) -> int | None:
        """The term of the entry at an index: 0 before the first, `MISSING` for none, None if a snapshot holds it."""
        if index == 0:
            return 0
        if index > self._last:
            return MISSING
        return self._terms.get(index, None if index < self._base else MISSING)
