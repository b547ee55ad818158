"""Imagined takeovers: who could be the next primary at this moment, and what it would lack.

For a takeover to lose something, a replica must lose its disk, count as complete too early, and be asked before it is complete.
A run seldom has all of that. But these rules hold at any moment, and copies show what requests would do to a replica:

- A replica that counts as complete has every acknowledged entry that was ever on its disk.
- No request that a primary could send now makes a replica complete that would lack such an entry after it.
- If a majority decides who takes over, no majority of complete replicas lacks an acknowledged entry.
- Whoever takes over from what a replica tells has what that replica has, however little it had itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from systems.parts.rules import InTurn
from systems.strong.log import NOTHING, Log
from systems.strong.messages import Append, Configuration, Entry, Fence, Fenced, NotReady, Refused
from systems.strong.replica import Replica
from systems.strong.shown import Shown


class ImaginedTakeovers:
    """Checks the rules at each look. It remembers what each replica had, because a replica may forget that."""

    def __init__(self, majority: int | None) -> None:
        """`majority` is how many replicas a new primary asks; None: it needs no other one's answer."""
        self._majority = majority
        self._had: dict[str, int] = {}
        """By replica, the last entry that was acknowledged and on its disk."""
        self._in_turn = InTurn()

    def broken(self, shown_by: Mapping[str, Shown], acknowledged: Sequence[Entry]) -> str | None:
        for name, shown in shown_by.items():
            why = self._incomplete(name, shown, acknowledged) or self._taught(name, shown, shown_by)
            if why is not None:
                return why
        return self._overruled(shown_by, acknowledged) or self._mistold(shown_by)

    def _incomplete(self, name: str, shown: Shown, acknowledged: Sequence[Entry]) -> str | None:
        log = shown.replica.log
        last = min(log.last.index, len(acknowledged))
        if last > self._had.get(name, 0) and has(log, last, acknowledged):
            self._had[name] = last
        had = self._had.get(name, 0)
        if has(log, had, acknowledged) or not self._counts(shown):
            return None
        return f"{name} counts as complete and lacks the acknowledged entry at {had}, which was on its disk"

    def _taught(self, name: str, shown: Shown, shown_by: Mapping[str, Shown]) -> str | None:
        """Whether some request would make a replica count as complete too early."""
        replica, had = shown.replica, self._had.get(name, 0)
        if replica.ready or not shown.informed:
            return None
        for other, primary in shown_by.items():
            if other == name or not primary.epoch or primary.epoch < replica.epoch:
                continue
            committed, established = primary.replica.committed, primary.replica.committed >= primary.begin
            request = Append(
                configuration=Configuration(replica.informed_by + 1, primary.epoch, other, ()),
                previous=NOTHING,
                entries=[],
                committed=committed,
                established=established,
            )
            for matched in (replica.log.common(primary.replica.log.ends()), committed):
                if matched < had and replica.teaches(request, matched):
                    return (
                        f"{name} would count as complete if {other}, primary of epoch {primary.epoch}, sent it the log up to"
                        f" {matched}, and it had acknowledged entries up to {had} on its disk"
                    )
        return None

    def _overruled(self, shown_by: Mapping[str, Shown], acknowledged: Sequence[Entry]) -> str | None:
        """Whether enough replicas for a takeover lack an acknowledged entry."""
        last = len(acknowledged)
        if self._majority is None or not last:
            return None
        incomplete = {name: shown for name, shown in shown_by.items() if not has(shown.replica.log, last, acknowledged)}
        lacking = [name for name, shown in incomplete.items() if self._counts(shown)]
        if len(lacking) < self._majority:
            return None
        return f"{', '.join(lacking)} would be enough for a takeover, and lack the acknowledged entry at {last}"

    def _mistold(self, shown_by: Mapping[str, Shown]) -> str | None:
        """Which replica, one in each look, would tell a new primary with an empty log something else than what it has."""
        name = self._in_turn.pick(shown_by)
        if name is None:
            return None
        replica = shown_by[name].replica
        if not isinstance(_fenced(replica), Fenced):
            return None
        told = replica.beyond([])
        adopted = Log(() if told.snapshot is None else told.snapshot.ends, told.entries)
        if adopted.ends() == replica.log.ends() and adopted.after(adopted.base) == replica.log.after(adopted.base):
            return None
        return (
            f"{name} has the log up to {replica.log.last.index}, and a new primary with an empty one would take over another,"
            f" up to {adopted.last.index}, from what it tells"
        )

    def _counts(self, shown: Shown) -> bool:
        """Whether a replica counts as complete: it could claim the next epoch, or would offer its log to the one that does."""
        replica = shown.replica
        if replica.ready or self._majority is None or not shown.informed:
            return replica.ready
        return isinstance(_fenced(replica), Fenced)


def _fenced(replica: Replica) -> Fenced | NotReady | Refused:
    """What it would answer the primary of the next epoch."""
    return replica.fence(Fence(configuration=Configuration(0, replica.epoch + 1, "", ())))


def has(log: Log, index: int, acknowledged: Sequence[Entry]) -> bool:
    """Whether a log has an acknowledged entry, and with it all earlier ones."""
    return index <= log.base or (index <= log.last.index and log.entry(index) == acknowledged[index - 1])
