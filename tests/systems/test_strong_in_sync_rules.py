"""The rules of the replicas in sync, and of what a replica tells a new primary: what they accept, and what they find."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import msgspec

from systems.raft.core.core import Core
from systems.raft.core.messages import Members, Vows
from systems.raft.invariant import Shown as Keeping
from systems.raft.messages import Command as KeeperCommand
from systems.raft.messages import Write as KeeperWrite
from systems.raft.store import KeyValues
from systems.strong.imagined import ImaginedTakeovers
from systems.strong.in_sync_rules import InSyncHaveAll, forgets_whom_it_asked_for
from systems.strong.invariant import NothingForgotten
from systems.strong.keeper import KEY
from systems.strong.lease import Watch
from systems.strong.messages import Beyond, Command, Configuration, Entry, Matched, Position, Write
from systems.strong.protocol import Primary
from systems.strong.replica import KEPT_ENTRIES, Replica
from systems.strong.shown import Shown

NAMES = ("n1", "n2", "n3")
MOST = 256 * 1024
ENTRIES = [Entry(1, Command(Write("k", str(number)))) for number in range(3)]


def replica(entries: int, *, ready: bool = True) -> Replica:
    return Replica(entries=ENTRIES[:entries], epoch=1, ready=ready)


def keeper(configuration: Configuration) -> Keeping:
    """A keeper that has carried out that this is the configuration."""
    machine = KeyValues()
    command = KeeperCommand(KeeperWrite(KEY, msgspec.json.encode(configuration).decode()))
    machine.apply(1, msgspec.json.encode(command).decode())
    return Keeping(Core("k1", Members(("k1",)), random=Random(1)), Vows(), 1, 0, machine, 0)


def in_sync(version: int, *names: str) -> Configuration:
    return Configuration(version, 1, "n1", names)


def knows(configuration: Configuration, entries: int) -> Shown:
    """A replica that has heard of this configuration."""
    watch = Watch()
    watch.heard(configuration, 0.0)
    return Shown(0, 0, replica(entries), watch=watch)


def test_who_is_in_sync_has_what_was_acknowledged() -> None:
    rule, all_three = InSyncHaveAll(), {"k1": keeper(in_sync(1, *NAMES))}
    have = {name: Shown(0, 0, replica(3)) for name in NAMES}
    assert rule.broken(have, all_three, ENTRIES) is None
    assert rule.broken(have | {"n3": Shown(0, 0, replica(2))}, all_three, ENTRIES[:2]) is None
    why = rule.broken(have | {"n3": Shown(0, 0, replica(2))}, all_three, ENTRIES)
    assert why == "n3 is in sync by what the keepers have, and lacks the acknowledged entry at 3"


def test_who_is_down_or_incomplete_or_not_in_sync_any_more_may_lack_it() -> None:
    rule, all_three = InSyncHaveAll(), {"k1": keeper(in_sync(1, *NAMES))}
    have = {name: Shown(0, 0, replica(3)) for name in ("n1", "n2")}
    assert rule.broken(have, all_three, ENTRIES) is None
    assert rule.broken(have | {"n3": Shown(0, 0, replica(2, ready=False))}, all_three, ENTRIES) is None
    behind = have | {"n3": Shown(0, 0, replica(2))}
    assert rule.broken(behind | {"n1": knows(in_sync(2, "n1", "n2"), 3)}, all_three, ENTRIES) is None
    assert rule.broken(behind, all_three, ENTRIES) is None  # who knew of it does not run any more
    assert rule.broken(behind, {"k1": keeper(in_sync(3, *NAMES))}, ENTRIES) is not None


def test_the_store_is_held_to_it_unless_a_majority_decides() -> None:
    leading = Shown(1, 1, replica(3))
    leading.replica.commit(3)
    states = {"n1": leading, "n2": Shown(0, 0, replica(1)), "n3": Shown(0, 0, replica(3)), "k1": keeper(in_sync(1, *NAMES))}
    why = NothingForgotten().broken(states)
    assert why == "n2 is in sync by what the keepers have, and lacks the acknowledged entry at 3"
    assert NothingForgotten(2).broken(states) is None


class ForgetsWhatItAsked(Primary):
    """A primary to which only its last request to the keepers counts."""

    def next_configuration(self, now_s: float) -> Configuration:
        self._asked_for.clear()
        return super().next_configuration(now_s)


def asked(kind: type[Primary], *up_to_date: str, added: bool = False) -> str | None:
    """What is found of a primary with n2 in sync, when these backups have all of its log."""
    primary = kind("n1", replica(3), in_sync(1, "n1", "n2"), NAMES, all_in_sync=True, now_s=0.0)
    for other in up_to_date:
        primary.send(other, 0.1, MOST)
        primary.answered(other, Matched(3))
    if added:
        primary.kept(primary.next_configuration(0.1))
    asked_for = set(primary._asked_for)
    why = forgets_whom_it_asked_for("n1", Shown(1, 1, primary.replica, now_s=0.1, primary=primary))
    assert primary._asked_for == asked_for
    return why


def test_a_primary_waits_for_whom_it_has_asked_for_until_it_knows_how_that_ended() -> None:
    assert asked(Primary, "n2", "n3") is None
    assert asked(Primary, "n2", "n3", added=True) is None
    assert asked(ForgetsWhatItAsked, "n2") is None
    assert asked(ForgetsWhatItAsked, "n2", "n3", added=True) is None
    assert forgets_whom_it_asked_for("n2", Shown(0, 0, replica(3))) is None
    assert asked(ForgetsWhatItAsked, "n2", "n3") == (
        "n1, the primary of epoch 1, would not wait for n3 once it has asked the keepers for less, and they may have added them"
        " before"
    )


class TellsTooMuch(Replica):
    """A replica that tells the entries before its snapshot's end as if they came after it."""

    def beyond(self, ends: Sequence[Position]) -> Beyond:
        told = super().beyond(ends)
        return told if told.snapshot is None else msgspec.structs.replace(told, entries=self.log.after(self.log.base))


def mistold(kind: type[Replica], *, forgets: bool, ready: bool = True) -> str | None:
    """What is found if a replica with a long log has or has not forgotten what it executed."""
    entries = [Entry(1, Command(Write("k", str(number)))) for number in range(KEPT_ENTRIES + 9)]
    one = kind(entries=entries, epoch=1, ready=ready)
    one.commit(len(entries) - 2)
    if forgets:
        one.forget(None)
        assert one.log.base
    return ImaginedTakeovers(2).broken({"n1": Shown(0, 0, one)}, [])


def test_a_new_primary_gets_the_log_that_the_replica_has() -> None:
    for forgets in (False, True):
        assert mistold(Replica, forgets=forgets) is None
    assert mistold(TellsTooMuch, forgets=False) is None
    assert mistold(TellsTooMuch, forgets=True, ready=False) is None
    why = mistold(TellsTooMuch, forgets=True)
    assert why == (
        f"n1 has the log up to {KEPT_ENTRIES + 9}, and a new primary with an empty one would take over another, up to"
        f" {2 * KEPT_ENTRIES + 9}, from what it tells"
    )
