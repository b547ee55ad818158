"""How a new primary gets the most complete log of a majority, before its epoch begins: a pure state machine, without I/O.

First a majority promises to obey no earlier epoch, and tells where its logs end. If another one's log is more complete than its
own, the new primary then fetches what that one has beyond its own: in pieces, because it may be a whole state behind a thin
link. Its own log changes only when it has all of them. The other log cannot change meanwhile, unless a later epoch begins.
"""

from __future__ import annotations

from collections.abc import Sequence

from systems.strong.bugs import CORRECT, Rules
from systems.strong.messages import Configuration, Fenced, Fetch, Fetched, Matched, ReplicaAnswer
from systems.strong.protocol import majority_of
from systems.strong.replica import Replica, Restore, Take


class Takeover:
    """The next primary asks the others where their logs end, and one of them for what it has."""

    def __init__(self, name: str, replica: Replica, replicas: Sequence[str], *, rules: Rules = CORRECT) -> None:
        self._name = name
        self._replica = replica
        self._need = majority_of(replicas, rules)
        self._rules = rules
        self._lasts = {name: replica.log.last}

    def answered(self, other: str, answer: ReplicaAnswer) -> bool:
        """Take an answer; returns whether it says all, so that the replica need not be asked again."""
        if isinstance(answer, Fenced):
            self._lasts[other] = answer.last
        return isinstance(answer, Fenced)

    def is_over(self) -> bool:
        """Whether a majority has promised to obey no earlier epoch."""
        return len(self._lasts) >= self._need

    @property
    def source(self) -> str | None:
        """Whose log contains everything that may have been acknowledged; None if its own does."""
        best = max(self._lasts, key=lambda name: self._lasts[name])
        more = self._lasts[best] > self._lasts[self._name]
        return best if more and self._rules.best_log_taken_over else None

    def fetch(self, configuration: Configuration, most: int) -> Fetch:
        """What to ask the source for next: so many characters at most."""
        replica = self._replica
        return Fetch(configuration=configuration, ends=replica.log.ends(), offset=replica.fetching.offset, most=most)

    def fetched(self, answer: Fetched) -> Take | Restore | None:
        """Take the source's answer; returns what to put into its own log once that is complete."""
        beyond = self._replica.fetching.take(answer.piece)
        if beyond is None:
            return None
        matched = Matched(beyond.last.index)
        if beyond.snapshot is not None:
            return Restore(beyond.snapshot, beyond.entries, matched)
        return Take(beyond.common, beyond.entries, matched)
