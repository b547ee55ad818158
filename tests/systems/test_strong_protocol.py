"""The strong store's pure parts: logs that diverge and converge, acknowledgements, leases."""

from __future__ import annotations

from dataclasses import fields

import pytest

from systems.strong.bugs import CORRECT, Rules
from systems.strong.lease import DRIFT, LEASE_S, Lease, Watch
from systems.strong.log import NOTHING, Log
from systems.strong.messages import (
    Append,
    Begin,
    Canvass,
    Command,
    Configuration,
    Diverged,
    Entry,
    Fence,
    Install,
    Matched,
    NotReady,
    Position,
    Refused,
    Willing,
    Write,
)
from systems.strong.pieces import Sending
from systems.strong.protocol import Canvassing, Primary, claimed, first, may_claim
from systems.strong.replica import Replica, Restore, Take

NAMES = ("n1", "n2", "n3")
MOST = 256 * 1024


def entries(*epochs: int) -> list[Entry]:
    """One of each epoch; each writes another value."""
    return [Entry(epoch, Command(Write("k", f"{epoch}.{place}"))) for place, epoch in enumerate(epochs)]


def replica(*epochs: int, rules: Rules = CORRECT, epoch: int = 0) -> Replica:
    return Replica(entries=entries(*epochs), epoch=epoch or max(epochs, default=0), rules=rules)


def configuration(epoch: int, primary: str = "n1", in_sync: tuple[str, ...] = NAMES, version: int = 1) -> Configuration:
    return Configuration(version, epoch, primary, in_sync, used=True)


def append(
    epoch: int, previous: Position, *found: int, committed: int = 0, established: bool = True, version: int = 1
) -> Append:
    return Append(
        configuration=configuration(epoch, version=version),
        previous=previous,
        entries=entries(*found),
        committed=committed,
        established=established,
    )


def taken(of: Replica, request: Append | Install) -> Matched:
    placed = of.place(request)
    assert isinstance(placed, Take)
    of.took(placed)
    return placed.answer


# ----------------------------------------------------------------------------------------------------------------- logs


@pytest.mark.parametrize(
    ("one", "other", "common"),
    [
        ((), (1, 1), 0),
        ((1, 1, 1), (1, 1), 2),
        ((1, 1, 1), (1, 1, 2, 2), 2),
        ((1, 1, 3), (1, 2, 2, 2), 1),
        ((1, 1, 2, 2, 2, 4), (1, 1, 2, 3, 3), 3),
        ((1, 1), (2, 2), 0),
    ],
)
def test_where_two_logs_part_follows_from_the_ends_of_their_epochs(
    one: tuple[int, ...], other: tuple[int, ...], common: int
) -> None:
    mine, theirs = Log((), entries(*one)), Log((), entries(*other))
    assert mine.common(theirs.ends()) == theirs.common(mine.ends()) == common


def test_a_log_knows_its_positions_also_where_entries_are_gone() -> None:
    log = Log((), entries(1, 1, 2, 2, 4))
    log.forget(3)
    assert [log.position(index) for index in range(6)] == [
        NOTHING,
        *(Position(epoch, index) for index, epoch in enumerate((1, 1, 2, 2, 4), start=1)),
    ]
    assert log.ends(3) == [Position(1, 2), Position(2, 3)]
    with pytest.raises(IndexError, match="the first is 4"):
        log.after(2)
    with pytest.raises(IndexError):
        log.put(2, entries(5))
    log.put(3, entries(5))
    assert log.ends() == [Position(1, 2), Position(2, 3), Position(5, 4)]


# -------------------------------------------------------------------------------------------------------------- backups


def test_an_earlier_epoch_is_refused_and_a_later_one_replaces_what_differs() -> None:
    backup = replica(1, 1, 1)
    backup.promise(2)
    assert backup.place(append(1, Position(1, 3), 1)) == Refused(2)
    assert backup.fence(Fence(configuration=configuration(1))) == Refused(2)
    assert taken(backup, append(2, Position(1, 2), 2)) == Matched(3)
    assert backup.log.ends() == [Position(1, 2), Position(2, 3)]


def test_a_request_that_does_not_fit_is_answered_with_the_log_s_ends() -> None:
    backup = replica(1, 1, epoch=2)
    assert backup.place(append(2, Position(1, 3), 2)) == Diverged([Position(1, 2)])
    assert backup.place(append(2, Position(2, 2), 2)) == Diverged([Position(1, 2)])


def test_a_late_request_cuts_nothing_off() -> None:
    backup = replica(1, 1, 1)
    assert taken(backup, append(1, Position(1, 1), 1)) == Matched(2)
    assert backup.log.last == Position(1, 3)


def test_a_late_snapshot_takes_nothing_away() -> None:
    """It was sent twice, since it was not answered in time, and arrives again after entries that are acknowledged by now."""
    of, backup = replica(1, 1, 1), replica()
    of.commit(2)
    install = Install(configuration=configuration(1), piece=Sending(of.snapshot()).piece(MOST), committed=2, established=True)
    placed = backup.place(install)
    assert isinstance(placed, Restore)
    backup.restored(placed)
    assert taken(backup, append(1, Position(1, 2), 1, committed=3)) == Matched(3)
    backup.commit(3)
    assert taken(backup, install) == Matched(2)
    assert (backup.log.last, backup.committed) == (Position(1, 3), 3)


def test_one_that_lost_its_log_says_nothing_of_it_until_a_primary_has_completed_it() -> None:
    lost = Replica(ready=False)
    lost.promise(2)
    assert isinstance(lost.fence(Fence(configuration=configuration(3))), NotReady)
    early = append(2, NOTHING, 1, 2, committed=2, established=False)
    assert not lost.teaches(early, taken(lost, early).index)
    short = append(2, NOTHING, 1, committed=2)
    assert not lost.teaches(short, taken(lost, short).index)
    whole = append(2, NOTHING, 1, 2, committed=2)
    assert lost.teaches(whole, taken(lost, whole).index)


def test_a_late_snapshot_teaches_nothing_to_one_that_has_lost_its_log_since() -> None:
    """What was acknowledged after it was sent, and before the loss, is not in it."""
    of, backup = replica(1, 1, 1), replica()
    of.commit(2)
    late = Install(
        configuration=configuration(1, version=4), piece=Sending(of.snapshot()).piece(MOST), committed=2, established=True
    )
    assert taken(backup, append(1, NOTHING, 1, 1, 1, committed=3)) == Matched(3)
    backup.commit(3)
    lost = Replica(ready=False, epoch=1)
    lost.informed_by = 4
    placed = lost.place(late)
    assert isinstance(placed, Restore)
    lost.restored(placed)
    assert not lost.teaches(late, placed.answer.index)
    renewed = append(1, Position(1, 2), 1, committed=3, version=5)
    assert lost.teaches(renewed, taken(lost, renewed).index)


# ------------------------------------------------------------------------------------------------------------ primaries


def primary(of: Replica, *, all_in_sync: bool = True, in_sync: tuple[str, ...] = NAMES) -> Primary:
    epoch = of.log.last.epoch + 1
    found = Primary("n1", of, configuration(epoch, in_sync=in_sync), NAMES, all_in_sync=all_in_sync, now_s=0)
    of.took(Take(of.log.last.index, [Entry(epoch, Command(Begin()))], Matched(0)))
    return found


def test_all_in_sync_are_waited_for() -> None:
    leading = primary(replica(1))
    leading.send("n2", 0, MOST)
    leading.answered("n2", Matched(2))
    assert leading.committable(0) == 0
    leading.send("n3", 0, MOST)
    leading.answered("n3", Matched(2))
    assert leading.committable(0) == 2


def test_a_majority_is_waited_for() -> None:
    leading = primary(replica(1), all_in_sync=False)
    leading.send("n2", 0, MOST)
    leading.answered("n2", Matched(2))
    assert leading.committable(0) == 2


def test_entries_of_earlier_epochs_are_not_acknowledged_by_counting() -> None:
    leading = primary(replica(1), all_in_sync=False)
    leading.send("n2", 0, MOST)
    leading.answered("n2", Matched(1))
    assert leading.committable(0) == 0


def test_a_backup_that_lags_is_left_out_only_when_the_keepers_have_it_so() -> None:
    leading = primary(replica(1))
    leading.send("n2", 9, MOST)
    leading.answered("n2", Matched(2))
    asked = leading.next_configuration(9)
    assert asked.in_sync == ("n1", "n2")
    assert leading.committable(9) == 0
    assert leading.kept(asked)
    assert leading.committable(9) == 2


def test_one_that_is_to_be_in_sync_is_waited_for_from_when_that_is_asked_for() -> None:
    leading = primary(replica(1), in_sync=("n1", "n2"))
    for name in ("n2", "n3"):
        leading.send(name, 9, MOST)
        leading.answered(name, Matched(2))
    assert leading.next_configuration(9).in_sync == NAMES
    leading.replica.took(Take(2, entries(2), Matched(3)))
    leading.send("n2", 9, MOST)
    leading.answered("n2", Matched(3))
    assert leading.committable(9) == 2


def test_a_primary_that_reaches_no_majority_leaves_in_sync_whoever_was() -> None:
    """Any of them may have to be the next primary."""
    assert primary(replica(1)).next_configuration(99).in_sync == NAMES


def test_a_primary_that_stood_still_is_not_alone_before_it_has_asked_again() -> None:
    leading = primary(replica(1))
    leading.send("n2", 0, MOST)
    leading.send("n3", 0, MOST)
    assert not leading.is_alone(9)
    for now_s in (9.1, 9.2):
        leading.send("n2", now_s, MOST)
        leading.send("n3", now_s, MOST)
    assert leading.is_alone(9.3)


def test_a_backup_that_parted_is_sent_what_comes_after_and_one_too_far_behind_a_snapshot() -> None:
    of = replica(1, 1, 1)
    leading = primary(of)
    leading.send("n2", 0, MOST)
    leading.answered("n2", Diverged([Position(1, 2)]))
    request = leading.send("n2", 0, MOST)
    assert isinstance(request, Append)
    assert (request.previous, len(request.entries)) == (Position(1, 2), 2)
    of.commit(3)
    of.log.forget(3)
    assert isinstance(leading.send("n2", 0, MOST), Install)


def test_nothing_is_acknowledged_before_the_keepers_have_it_that_something_may_be() -> None:
    of = replica()
    leading = Primary("n1", of, first("n1", NAMES), NAMES, all_in_sync=False, now_s=0)
    of.took(Take(0, [Entry(1, Command(Begin()))], Matched(1)))
    leading.send("n2", 0, MOST)
    leading.answered("n2", Matched(1))
    assert leading.committable(0) == 0
    asked = leading.next_configuration(0)
    assert asked.used
    leading.send("n2", 0, MOST)
    leading.kept(asked)
    leading.answered("n2", Matched(1))
    assert leading.committable(0) == 0  # it may have lost its disk since, and have been told that it lacks nothing
    leading.send("n2", 0, MOST)
    leading.answered("n2", Matched(1))
    assert leading.committable(0) == 1


def test_the_keepers_are_not_told_that_something_may_be_acknowledged_before_a_majority_has_it() -> None:
    leading = Primary("n1", replica(), first("n1", NAMES), NAMES, all_in_sync=False, now_s=0)
    assert not leading.next_configuration(0).used


def test_a_deposed_primary_is_told() -> None:
    leading = primary(replica(1))
    leading.send("n2", 0, MOST)
    assert leading.answered("n2", NotReady("x"))
    assert not leading.answered("n2", Refused(3))


def canvass(epoch: int) -> Canvass:
    return Canvass(configuration=configuration(epoch))


def test_a_replica_claims_only_what_a_majority_could_follow() -> None:
    canvassing = Canvassing("n1", ("n1", "n2", "n3", "n4", "n5"))
    assert not canvassing.answered("n2", NotReady("its disk is full"))
    assert canvassing.answered("n3", Willing())
    assert canvassing.answered("n3", Willing())
    assert not canvassing.is_over()
    canvassing.answered("n4", Willing())
    assert canvassing.is_over()
    assert canvassing.succeeded


def test_a_replica_that_hears_of_a_later_epoch_asks_no_further() -> None:
    canvassing = Canvassing("n1", NAMES)
    assert canvassing.answered("n2", Refused(4))
    assert canvassing.is_over()
    assert not canvassing.succeeded


def test_only_a_replica_that_could_answer_a_new_primary_says_that_it_could_follow_one() -> None:
    current, lost = replica(1, 1, epoch=2), Replica(ready=False, epoch=2)
    assert current.could_follow(canvass(2), fenced=True) == Refused(2)
    assert current.could_follow(canvass(3), fenced=True) == Willing()
    assert current.epoch == 2
    assert isinstance(lost.could_follow(canvass(3), fenced=True), NotReady)
    assert lost.could_follow(canvass(3), fenced=False) == Willing()


def test_only_who_has_all_that_was_acknowledged_may_be_primary() -> None:
    now = configuration(4, in_sync=("n1", "n2"), version=9)
    assert may_claim("n2", now, ready=True, all_in_sync=True)
    assert not may_claim("n3", now, ready=True, all_in_sync=True)
    assert may_claim("n3", now, ready=True, all_in_sync=False)
    assert not may_claim("n2", now, ready=False, all_in_sync=True)
    assert claimed("n2", now) == Configuration(10, 5, "n2", ("n1", "n2"), used=True)
    assert first("n1", NAMES) == Configuration(1, 1, "n1", NAMES)


# --------------------------------------------------------------------------------------------------------------- leases


@pytest.mark.parametrize("fast", [1, 1 + DRIFT, 1 / (1 + DRIFT)])
def test_a_lease_is_over_before_another_replica_takes_over(fast: float) -> None:
    """A replica learns of a version after it was sent; its clock may run faster, or slower."""
    lease, watch = Lease(), Watch()
    lease.renewed(10)
    watch.heard(configuration(1), 10 * fast)
    over_s = next(step / 1000 for step in range(10_000, 12_000) if watch.over(step / 1000 * fast))
    assert not lease.holds(over_s)
    assert lease.holds(10 + LEASE_S / 2)


def test_a_version_that_is_known_already_extends_nothing() -> None:
    watch = Watch()
    watch.heard(configuration(1, version=5), 0)
    watch.heard(configuration(1, version=5), LEASE_S - 0.1)
    assert watch.over(LEASE_S)
    watch.heard(configuration(1, version=6), LEASE_S)
    assert not watch.over(LEASE_S + 0.1)


def test_every_rule_is_kept_by_default() -> None:
    assert all(getattr(CORRECT, field.name) is True for field in fields(Rules))
