"""The primary's side of replication as a pure state machine, without I/O or a clock: who has what, and what is acknowledged.

A service outside the replicas keeps which of them is the primary and which are backups, as in W. Lin, M. Yang, L. Zhang, L.
Zhou, "PacificA: Replication in Log-Based Distributed Storage Systems", MSR-TR-2008-25, and with Kafka's in-sync replicas. The
keepers hold one small value, the configuration: the epoch, its primary, and the replicas in sync. The replica that enters
itself as the primary of the next epoch is the only one of that epoch.

*Acknowledged by all* in sync: an entry is acknowledged when each of them has it on its disk. A backup that falls behind is
removed from the configuration, and entries are acknowledged without it only after the keepers have stored that; there are
always at least a majority left. A backup that has caught up is added again, and is waited for from the moment at which this is
requested. So each replica in sync has every acknowledged entry, and any of them can be the next primary on its own.

*Acknowledged by a majority* of all replicas: the next primary first asks a majority what they have, and takes over the most
complete log. Each of them promises to obey no earlier epoch any more, so nothing can be added to what they answer.

In both cases only an entry of the primary's own epoch is acknowledged by counting, and all entries before it along with it: an
earlier one may be on a majority of disks and still be replaced by a log with a later last epoch (D. Ongaro, J. Ousterhout, "In
Search of an Understandable Consensus Algorithm", USENIX ATC 2014, section 5.4.2). That is why each epoch begins with an entry.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from typing import Final

from systems.strong.bugs import CORRECT, Rules
from systems.strong.messages import (
    Append,
    CompareAndSet,
    Configuration,
    Diverged,
    Entry,
    Install,
    Installing,
    Matched,
    NotReady,
    Refused,
    ReplicaAnswer,
    Willing,
    Write,
)
from systems.strong.pieces import Sending
from systems.strong.replica import Replica

LAGS_AFTER_S: Final = 0.4
"""A backup that has not had the whole log for this long is not in sync."""

ALONE_AFTER_S: Final = 1.2
ALONE_AFTER_SENT: Final = 2
"""A primary that has not heard from a majority for this long, and has sent this often, gives way to one that may. The time
alone proves nothing: the primary itself may have been stopped."""

_MOST_ENTRIES: Final = 50
"""Of one request to a backup."""

_MOST_NEEDED: Final = 4 * 1024 * 1024
"""So many characters of entries are kept for a backup that is being sent a snapshot, or as many as the snapshot has."""

_OF_ANY_ENTRY: Final = 100
"""About so many characters has an entry without its value."""


@dataclass
class _Backup:
    """What a primary knows of a backup. Times are seconds."""

    next_after: int
    """The next entries to send it are those after this index."""
    answered_s: float
    caught_up_s: float
    """When it was last sent something that completed its log."""
    matched: int = 0
    """Its log is known to be the same, and on its disk, up to this index."""
    sent_s: float = 0.0
    sent_last: int = 0
    """How long the log was then."""
    sent_used: bool = False
    """Whether the configuration was in use by then."""
    unanswered: int = 0
    """How many requests it was sent since it last answered."""
    skipped: int = 0
    sending: Sending | None = None
    """The snapshot that it is being sent, all of it, although there may be a newer one by now."""


class Primary:
    """One primary's view of one epoch."""

    def __init__(
        self,
        name: str,
        replica: Replica,
        configuration: Configuration,
        replicas: Sequence[str],
        *,
        all_in_sync: bool,
        now_s: float,
        rules: Rules = CORRECT,
    ) -> None:
        """Its own log must already be the one that it takes over; the epoch's first entry comes next, at `begin`."""
        self.configuration = configuration
        self.replica = replica
        self.begin = replica.log.last.index + 1
        self._name = name
        self._replicas = replicas
        self._all_in_sync = all_in_sync
        self._rules = rules
        self._asked_for: set[str] = set()
        """Who is in sync if the keepers have done what they were asked for and have not answered yet."""
        self._backups = {
            other: _Backup(replica.log.last.index, now_s, now_s - LAGS_AFTER_S / 2) for other in replicas if other != name
        }

    @property
    def majority(self) -> int:
        return majority_of(self._replicas, self._rules)

    @property
    def established(self) -> bool:
        """Whether everything that earlier epochs acknowledged is known to be acknowledged, and is executed."""
        return self.replica.committed >= self.begin or not self._rules.served_when_established

    def imagined(self) -> Primary:
        """A copy that can be asked what it would ask the keepers for, or be answered: nothing happens to this one."""
        other = copy(self)
        other._asked_for = set(self._asked_for)
        other._backups = {name: copy(backup) for name, backup in self._backups.items()}
        return other

    @property
    def matches(self) -> Mapping[str, int]:
        """By backup, up to which index its log is known to be the same, and on its disk."""
        return {name: backup.matched for name, backup in self._backups.items()}

    # ------------------------------------------------------------------------------------------------------- backups

    def send(self, other: str, now_s: float, most: int) -> Append | Install:
        """The request that a backup is to be sent now, with about so many characters at most, but at least one entry."""
        backup, log = self._backups[other], self.replica.log
        backup.sent_s, backup.sent_last, backup.sent_used = now_s, log.last.index, self.configuration.used
        backup.unanswered += 1
        established = self.replica.committed >= self.begin
        if backup.next_after < log.base:
            if backup.sending is None or (not backup.sending.offset and backup.sending.last.index < log.base):
                backup.sending = Sending(self.replica.snapshot())
            return Install(
                configuration=self.configuration,
                piece=backup.sending.piece(most),
                committed=self.replica.committed,
                established=established,
            )
        return Append(
            configuration=self.configuration,
            previous=log.position(backup.next_after),
            entries=_beginning(log.after(backup.next_after + backup.skipped, _MOST_ENTRIES), most),
            committed=self.replica.committed,
            established=established,
        )

    def answered(self, other: str, answer: ReplicaAnswer) -> bool:
        """Take the answer to the last request; returns whether the epoch goes on."""
        backup = self._backups[other]
        match answer:
            case Refused(epoch):
                return epoch <= self.configuration.epoch
            case NotReady():
                return True
            case Installing(offset) if backup.sending is not None:
                backup.sending.offset = offset
            case Matched(index):
                backup.next_after, backup.sending = index, None
                # May be less than before, if it has lost its log. If the answer is from before the configuration was in use, it
                # may have lost its log since, and have been told that it lacks nothing.
                backup.matched = index if backup.sent_used or not self.configuration.used else 0
                backup.skipped = 0
                if index >= backup.sent_last:
                    backup.caught_up_s = backup.sent_s
            case Diverged(ends):
                backup.next_after, backup.sending = self.replica.log.common(ends), None
                backup.matched = min(backup.matched, backup.next_after)
                backup.skipped = 0 if self._rules.all_pieces_sent else _MOST_ENTRIES
        backup.answered_s, backup.unanswered = backup.sent_s, 0
        return True

    def has_more_for(self, other: str) -> bool:
        """Whether a backup lacks something that it has not been sent yet."""
        return self._backups[other].next_after < self.replica.log.last.index

    def needed_after(self) -> int | None:
        """The index after which the log is needed because of snapshots on their way; None if none are.

        Without the entries after it, a backup that has got its snapshot would need another one, and so on for as long as
        writes go on. But if they are longer than the snapshot, that is the shorter way.
        """
        log = self.replica.log
        for sending in sorted((one.sending for one in self._backups.values() if one.sending), key=lambda one: one.last):
            after = sending.last.index
            if after >= log.base and sum(map(_characters, log.after(after))) <= max(sending.size, _MOST_NEEDED):
                return after
        return None

    def is_alone(self, now_s: float) -> bool:
        """Whether no majority has answered for a while: then the others cannot be told, and may have another primary."""
        silent = sum(
            now_s - backup.answered_s >= ALONE_AFTER_S and backup.unanswered > ALONE_AFTER_SENT
            for backup in self._backups.values()
        )
        return self._rules.gives_way_when_alone and len(self._replicas) - silent < len(self._replicas) // 2 + 1

    # -------------------------------------------------------------------------------------------------------- commits

    def committable(self, now_s: float) -> int:
        """Up to which index entries are acknowledged, as far as is known now."""
        return self._counted(now_s) if self.configuration.used else self.replica.committed

    def _counted(self, now_s: float) -> int:
        if not self._rules.backups_waited_for:
            return self.replica.log.last.index
        if self._all_in_sync:
            index = min([self.replica.log.last.index, *(self._matched(other) for other in self.waits_for(now_s))])
        else:
            index = sorted(map(self._matched, self._replicas), reverse=True)[self.majority - 1]
        return index if index >= self.begin else self.replica.committed

    def _matched(self, other: str) -> int:
        # A primary's own log is on its disk before it is sent to any replica.
        return self.replica.log.last.index if other == self._name else self._backups[other].matched

    def waits_for(self, now_s: float) -> set[str]:
        """Whose copies an entry needs before it is acknowledged, if those in sync decide that."""
        if not self._rules.keepers_say_who_is_in_sync:
            return set(self._fresh(now_s))
        return {*self.configuration.in_sync, *self._asked_for}

    # -------------------------------------------------------------------------------------------------- configuration

    def next_configuration(self, now_s: float) -> Configuration:
        """The configuration to ask the keepers for in place of `configuration`: the same with those that are in sync now.

        If those are no majority, it names the same replicas as before: this primary can acknowledge nothing, and each of them
        can still be the next one. From now on entries wait for those that it names as well, until `kept` tells how that ended.
        """
        fresh = self._fresh(now_s)
        members = tuple(fresh) if self._all_in_sync and len(fresh) >= self.majority else self.configuration.in_sync
        self._asked_for.update(members)
        kept = self.configuration
        return Configuration(kept.version + 1, kept.epoch, kept.primary, members, kept.used or self._is_first(now_s))

    def wants_change(self, now_s: float) -> bool:
        """Whether others are in sync than the configuration says, or something is to be acknowledged for the first time."""
        fresh = self._fresh(now_s)
        if self._is_first(now_s):
            return True
        return self._all_in_sync and len(fresh) >= self.majority and set(fresh) != set(self.configuration.in_sync)

    def kept(self, configuration: Configuration) -> bool:
        """The keepers have this version; returns whether it is of this epoch. No earlier request to them can succeed now."""
        if configuration.epoch != self.configuration.epoch:
            return False
        if configuration.version > self.configuration.version:
            if not self.configuration.used:
                for backup in self._backups.values():
                    backup.matched = 0  # it may have lost its disk, and have been told that it lacks nothing
            self.configuration = configuration
            self._asked_for.clear()
        return True

    def _is_first(self, now_s: float) -> bool:
        return not self.configuration.used and self._counted(now_s) >= self.begin

    def _fresh(self, now_s: float) -> list[str]:
        """The replicas that have the whole log, or had it recently."""

        def is_fresh(other: str) -> bool:
            if other == self._name:
                return True
            backup = self._backups[other]
            lag_s = now_s - backup.caught_up_s
            if other in self.configuration.in_sync:
                return lag_s < LAGS_AFTER_S
            if not self._rules.in_sync_when_caught_up:
                return now_s - backup.answered_s < LAGS_AFTER_S / 2
            return lag_s < LAGS_AFTER_S / 2 and backup.matched >= self.replica.committed

        return [other for other in self._replicas if is_fresh(other)]


def _beginning(entries: list[Entry], most: int) -> list[Entry]:
    """The first of these entries, of about so many characters together, but at least one."""
    left = most
    for place, entry in enumerate(entries):
        if left <= 0:
            return entries[:place]
        left -= _characters(entry)
    return entries


def _characters(entry: Entry) -> int:
    """About the size of an entry."""
    operation = entry.command.operation
    value = operation.value if isinstance(operation, Write | CompareAndSet) else None
    return _OF_ANY_ENTRY + len(value or "")


class Canvassing:
    """A replica that wants to be the next primary asks the others whether they could follow it, before it claims the epoch.

    The keepers would give the epoch to any replica that reaches them. One that reaches no majority of the replicas could do
    nothing with it, and two of them could take turns for ever while the others wait for their leases. That is why a candidate
    asks first, as with Raft's PreVote (D. Ongaro, "Consensus: Bridging Theory and Practice", 2014, section 9.6).
    """

    def __init__(self, name: str, replicas: Sequence[str], *, rules: Rules = CORRECT) -> None:
        self._willing = {name}
        self._need = majority_of(replicas, rules) if rules.claims_with_majority else 1
        self._too_late = False

    def answered(self, other: str, answer: ReplicaAnswer) -> bool:
        """Take an answer; returns whether it says all, so that the replica need not be asked again."""
        match answer:
            case Willing():
                self._willing.add(other)
            case Refused():
                self._too_late = True
            case _:
                return False
        return True

    @property
    def succeeded(self) -> bool:
        """Whether a majority could follow."""
        return len(self._willing) >= self._need

    def is_over(self) -> bool:
        """Whether the candidate knows enough: a majority could follow, or there has been a later epoch."""
        return self.succeeded or self._too_late


def majority_of(replicas: Sequence[str], rules: Rules = CORRECT) -> int:
    """How many of the replicas are a majority."""
    return len(replicas) // 2 + (1 if rules.majority_is_more_than_half else 0)


def first(primary: str, replicas: Sequence[str]) -> Configuration:
    """The very first configuration."""
    return Configuration(1, 1, primary, tuple(replicas))


def claimed(by: str, after: Configuration) -> Configuration:
    """The configuration in which a replica is the primary of the next epoch."""
    return Configuration(after.version + 1, after.epoch + 1, by, after.in_sync, after.used)


def may_claim(name: str, after: Configuration, *, ready: bool, all_in_sync: bool, rules: Rules = CORRECT) -> bool:
    """Whether a replica has everything that a primary must have, or can ask for it."""
    return ready and (not all_in_sync or name in after.in_sync or not rules.only_in_sync_promoted)
