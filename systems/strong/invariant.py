"""What holds at any time for all replicas together: an epoch has one primary, and none lacks what others acknowledged."""

from __future__ import annotations

from collections.abc import Mapping

from systems.parts.rules import first_broken
from systems.raft.invariant import RaftSafety
from systems.strong.imagined import ImaginedTakeovers
from systems.strong.in_sync_rules import InSyncHaveAll, forgets_whom_it_asked_for
from systems.strong.late_rules import ImaginedLateness
from systems.strong.log_rules import ImaginedRewriting, strange_ends
from systems.strong.loss_rules import LearnsAfterTheLoss
from systems.strong.messages import Entry
from systems.strong.replica import Replica
from systems.strong.shown import Shown
from systems.strong.waits import LeasesOfWhatIsKept, WaitsForLeases, overtaken, reads_without_lease


class NothingForgotten:
    """See the module. It remembers all that was acknowledged, because that may disappear from a replica later."""

    def __init__(self, majority: int | None = None) -> None:
        """`majority` is how many replicas a new primary asks; None: it needs no other one's answer."""
        self._keepers = RaftSafety()
        self._primaries: dict[int, str] = {}
        self._acknowledged: list[Entry] = []
        self._epochs: list[int] = []
        """For each index, less one, the epoch of the primary that was the first to acknowledge it."""
        self._takeovers = ImaginedTakeovers(majority)
        self._waits = WaitsForLeases()
        self._leases = LeasesOfWhatIsKept()
        self._rewriting = ImaginedRewriting()
        self._lateness = ImaginedLateness()
        self._losses = LearnsAfterTheLoss()
        self._in_sync = None if majority is not None else InSyncHaveAll()
        self._checked: dict[str, tuple[Replica, int]] = {}
        """For each replica, up to which index it is known to be right about what is acknowledged."""

    def broken(self, states: Mapping[str, object]) -> str | None:
        shown_by = {name: state for name, state in states.items() if isinstance(state, Shown)}
        for name, shown in shown_by.items():
            why = self._two_primaries(name, shown) or _obeys_another(name, shown) or self._other_entry(name, shown)
            why = why or reads_without_lease(name, shown)
            why = why or strange_ends(name, shown.replica.log) or forgets_whom_it_asked_for(name, shown)
            if why is None and shown.watch is not None:
                why = self._waits.broken(name, shown.watch, shown.now_s)
            if why is not None:
                return why
        found = first_broken((self._losses, self._rewriting, self._lateness), shown_by)  # all of them have to look
        why = overtaken(shown_by) or self._takeovers.broken(shown_by, self._acknowledged) or found
        if why is not None:
            return why
        keepers = {name: state for name, state in states.items() if name not in shown_by}
        if (why := self._leases.broken(shown_by, keepers)) is not None:
            return why
        if self._in_sync is not None and (why := self._in_sync.broken(shown_by, keepers, self._acknowledged)) is not None:
            return why
        return self._keepers.broken(keepers)

    def apart(self, states: Mapping[str, object]) -> str | None:
        """What replicas do not agree about: one must be the primary, and all must have its log, and know it as acknowledged."""
        shown_by = {name: state for name, state in states.items() if isinstance(state, Shown)}
        primary = max(shown_by, key=lambda name: shown_by[name].epoch, default=None)
        if primary is None or not shown_by[primary].epoch:
            return "no replica is the primary"
        last = shown_by[primary].replica.log.last
        for name, shown in shown_by.items():
            if shown.replica.log.last != last:
                return f"{name} has the log up to {shown.replica.log.last.index}, {primary}, the primary, up to {last.index}"
            if shown.replica.committed != last.index:
                return f"{name} regards its log as acknowledged up to {shown.replica.committed} of {last.index}"
            if not shown.replica.ready:
                return f"{name} does not know whether it has everything that was acknowledged"
        return self._keepers.apart({name: state for name, state in states.items() if name not in shown_by})

    def _two_primaries(self, name: str, shown: Shown) -> str | None:
        if not shown.epoch:
            return None
        if shown.epoch not in self._primaries:
            self._primaries[shown.epoch] = name
            return self._forgotten(name, shown)
        first = self._primaries[shown.epoch]
        return f"epoch {shown.epoch} has two primaries: {first}, and {name}" if first != name else None

    def _forgotten(self, name: str, shown: Shown) -> str | None:
        """What a new primary lacks of the entries that earlier ones acknowledged."""
        log = shown.replica.log
        for index, entry in enumerate(self._acknowledged[log.base :], start=log.base + 1):
            epoch = self._epochs[index - 1]
            if epoch < shown.epoch and (index > log.last.index or log.entry(index) != entry):
                has = "nothing" if index > log.last.index else f"an entry of epoch {log.entry(index).epoch}"
                return f"{name} is the primary of epoch {shown.epoch} and has {has} at {index}, acknowledged in epoch {epoch}"
        return None

    def _other_entry(self, name: str, shown: Shown) -> str | None:
        """Which entry a replica wrongly considers acknowledged."""
        replica = shown.replica
        of, checked = self._checked.get(name, (replica, 0))
        begin = max(checked if of is replica else 0, replica.log.base)
        for index in range(begin + 1, replica.committed + 1):
            entry = replica.log.entry(index)
            if index > len(self._acknowledged):
                if index > len(self._acknowledged) + 1:
                    break  # those in between are in a snapshot here, and another replica shows them or did
                self._acknowledged.append(entry)
                self._epochs.append(shown.epoch or replica.epoch)
            elif self._acknowledged[index - 1] != entry:
                return f"two entries at {index} count as acknowledged, one of them on {name}"
        self._checked[name] = (replica, replica.committed)
        return None


def _obeys_another(name: str, shown: Shown) -> str | None:
    """Whether a primary goes on although it has promised to obey a later epoch: it may add to what it has told."""
    if not shown.epoch or shown.replica.epoch <= shown.epoch:
        return None
    return f"{name} is the primary of epoch {shown.epoch}, and has promised to obey none before {shown.replica.epoch}"
