"""Snapshots of the strong store on their way to a backup, in pieces; and entries, as many as get through."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from systems.strong import Strong
from systems.strong.messages import (
    Append,
    Command,
    Configuration,
    Diverged,
    Entry,
    Install,
    Installing,
    Matched,
    NotReady,
    Snapshot,
    Write,
)
from systems.strong.pieces import Receiving, Sending
from systems.strong.protocol import Primary
from systems.strong.replica import KEPT_ENTRIES, Replica, Restore, Take
from tests.helpers.thin_link import entries_behind

NAMES = ("n1", "n2", "n3")
MOST = 50


def entries(number: int, length: int = 9) -> list[Entry]:
    return [Entry(1, Command(Write(f"k{place}", "v" * length))) for place in range(number)]


def leading(of: Replica) -> Primary:
    """The primary of the next epoch, whose backups lack what is in its snapshot."""
    found = Primary("n1", of, Configuration(1, 2, "n1", NAMES, used=True), NAMES, all_in_sync=False, now_s=0)
    for name in ("n2", "n3"):
        found.send(name, 0, MOST)
        found.answered(name, Diverged([]))
    return found


def compacted(number: int = 9) -> Replica:
    of = Replica(entries=entries(number), epoch=1)
    of.commit(number)
    of.log.forget(number)
    return of


def more(of: Replica, number: int, length: int = 9) -> None:
    of.took(Take(of.log.last.index, entries(number, length), Matched(of.log.last.index + number)))
    of.commit(of.log.last.index)


def carried(primary: Primary, backup: Replica, lost: Sequence[int] = ()) -> list[int]:
    """Carry requests to n2 until it has all that it lacks, except for the answers to some; returns where pieces began."""
    offsets: list[int] = []
    while primary.has_more_for("n2"):
        request = primary.send("n2", 0, MOST)
        if isinstance(request, Install):
            offsets.append(request.piece.offset)
        placed = backup.place(request)
        match placed:
            case Take():
                backup.took(placed)
            case Restore():
                backup.restored(placed)
        answer = placed.answer if isinstance(placed, Take | Restore) else placed
        if len(offsets) - 1 not in lost or not isinstance(request, Install):
            primary.answered("n2", answer)
        assert len(offsets) < 99
    return offsets


def test_a_snapshot_goes_in_pieces_each_after_the_last_was_taken() -> None:
    of, backup = compacted(), Replica()
    offsets = carried(leading(of), backup)
    assert offsets == list(range(0, offsets[-1] + 1, MOST))
    assert len(offsets) > 3
    assert backup.machine.snapshot([]) == of.machine.snapshot([])
    assert backup.log.last == of.log.last


def test_a_piece_whose_answer_is_lost_comes_again() -> None:
    of, backup = compacted(), Replica()
    last = len(carried(leading(of), Replica())) - 1
    offsets = carried(leading(of), backup, lost=(0, 2, last + 2))
    assert offsets[:5] == [0, 0, 50, 50, 100]
    assert backup.log.last == of.log.last


def test_a_backup_that_forgets_what_it_had_of_it_gets_all_of_it_again() -> None:
    of = compacted()
    primary, backup = leading(of), Replica()
    for _ in range(3):
        request = primary.send("n2", 0, MOST)
        answer = backup.place(request)
        assert isinstance(answer, Installing)
        primary.answered("n2", answer)
    backup = Replica()
    assert carried(primary, backup)[:3] == [150, 0, 50]
    assert backup.log.last == of.log.last


def test_a_disk_that_did_not_take_the_whole_gets_the_last_piece_again() -> None:
    primary, backup = leading(compacted()), Replica()
    while not isinstance(answer := backup.place(primary.send("n2", 0, MOST)), Restore):
        assert isinstance(answer, Installing)
        primary.answered("n2", answer)
    primary.answered("n2", NotReady("the disk did not take it"))
    assert isinstance(backup.place(primary.send("n2", 0, MOST)), Restore)


def test_each_piece_that_is_taken_is_a_sign_of_life() -> None:
    primary, backup = leading(compacted(99)), Replica()
    for number in range(20):
        for name in ("n2", "n3"):
            answer = backup.place(primary.send(name, float(number), MOST))
            if name == "n2":
                assert isinstance(answer, Installing)
                primary.answered(name, answer)
        assert not primary.is_alone(float(number))


def test_a_snapshot_that_was_begun_is_sent_to_its_end_and_the_entries_after_it_follow() -> None:
    of, backup = compacted(), Replica()
    primary = leading(of)
    first = primary.send("n2", 0, MOST)
    answer = backup.place(first)
    assert isinstance(answer, Installing)
    primary.answered("n2", answer)
    more(of, KEPT_ENTRIES + 9)
    of.forget(primary.needed_after())
    assert of.log.base == 9
    offsets = carried(primary, backup)
    assert 0 not in offsets
    assert backup.log.last == of.log.last
    of.forget(primary.needed_after())
    assert of.log.base == 18  # it has arrived, so nothing is needed for it any more


def test_entries_that_are_longer_than_the_snapshot_are_not_kept_for_it() -> None:
    of = compacted()
    primary = leading(of)
    primary.send("n2", 0, MOST)
    more(of, KEPT_ENTRIES, length=100_000)
    assert primary.needed_after() is None
    newer = primary.send("n2", 0, MOST)
    assert isinstance(newer, Append | Install)
    of.forget(primary.needed_after())
    backup = Replica()
    carried(primary, backup)
    assert backup.log.last == of.log.last


def test_pieces_of_another_snapshot_start_over() -> None:
    one, other, receiving = Sending(compacted(9).snapshot()), Sending(compacted(10).snapshot()), Receiving(Snapshot)
    assert receiving.take(one.piece(MOST)) is None
    assert receiving.offset == MOST
    assert receiving.take(one.piece(MOST)) is None
    assert receiving.offset == MOST
    other.offset = MOST
    assert receiving.take(other.piece(MOST)) is None
    assert receiving.offset == 0
    other.offset = 0
    assert receiving.take(other.piece(other.size)) == compacted(10).snapshot()


@pytest.mark.parametrize(("most", "sent"), [(1, 1), (1200, 2), (100_000, 5)])
def test_a_request_has_as_many_entries_as_get_through_and_at_least_one(most: int, sent: int) -> None:
    of = Replica(entries=entries(5, 1000), epoch=1)
    request = leading(of).send("n2", 0, most)
    assert isinstance(request, Append)
    assert len(request.entries) == sent


@pytest.mark.slow
@pytest.mark.parametrize("compact_at_kib", [2, 1024])
def test_what_a_backup_behind_a_thin_link_lacks_gets_through(compact_at_kib: int) -> None:
    assert entries_behind(Strong(compact_at_kib=compact_at_kib)) < 8
