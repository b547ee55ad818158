"""A new primary of the strong store takes over the most complete log of a majority, in pieces."""

from __future__ import annotations

import pytest

from systems.strong import Strong
from systems.strong.bugs import CORRECT, Rules
from systems.strong.log import NOTHING
from systems.strong.messages import (
    Command,
    Configuration,
    Entry,
    Fence,
    Fenced,
    Fetch,
    Fetched,
    Matched,
    NotReady,
    Refused,
    Write,
)
from systems.strong.replica import Replica, Restore, Take
from systems.strong.takeover import Takeover
from tests.helpers.thin_link import takes_over_at_s

NAMES = ("n1", "n2", "n3")
NEXT = Configuration(1, 3, "n1", NAMES, used=True)
MOST = 50


def replica(*epochs: int, epoch: int = 2) -> Replica:
    """One with an entry of each epoch, each of which writes another value."""
    return Replica(entries=entries(*epochs), epoch=epoch)


def entries(*epochs: int) -> list[Entry]:
    return [Entry(epoch, Command(Write(f"k{place}", f"{epoch}.{place}"))) for place, epoch in enumerate(epochs)]


def compacted(*epochs: int) -> Replica:
    """One that has executed all its entries but the last, and has forgotten the executed ones."""
    found = replica(*epochs)
    found.commit(len(epochs) - 1)
    found.log.forget(len(epochs) - 1)
    return found


def fenced(own: Replica, other: Replica, rules: Rules = CORRECT) -> Takeover:
    """n1 has asked n2 where its log ends."""
    takeover = Takeover("n1", own, NAMES, rules=rules)
    assert not takeover.is_over()
    other.promise(NEXT.epoch)
    assert takeover.answered("n2", other.fence(Fence(configuration=NEXT)))
    assert takeover.is_over()
    return takeover


def fetched(takeover: Takeover, other: Replica, pieces: int = 99) -> tuple[Take | Restore | None, list[int]]:
    """What n1 gets from n2 in so many pieces at most, and where they began."""
    offsets = list[int]()
    for _ in range(pieces):
        request = takeover.fetch(NEXT, MOST)
        offsets.append(request.offset)
        answer = other.fetch(request)
        assert isinstance(answer, Fetched)
        assert len(answer.piece.text) <= MOST
        if (adopted := takeover.fetched(answer)) is not None:
            return adopted, offsets
    return None, offsets


def adopt(own: Replica, adopted: Take | Restore | None) -> None:
    if isinstance(adopted, Take):
        own.took(adopted)
    elif adopted is not None:
        own.restored(adopted)


@pytest.mark.parametrize("own", [(), (1,), (1, 1, 1, 1)])
@pytest.mark.parametrize("other", [replica(1, 1, 2, 2), compacted(1, 1, 2, 2)])
def test_a_new_primary_takes_over_the_log_that_knows_most(own: tuple[int, ...], other: Replica) -> None:
    mine = replica(*own)
    before = mine.log.ends()
    takeover = fenced(mine, other)
    assert takeover.source == "n2"
    adopted, offsets = fetched(takeover, other)
    assert offsets == list(range(0, MOST * len(offsets), MOST))
    assert len(offsets) > 2
    assert mine.log.ends() == before  # until it has all of it
    adopt(mine, adopted)
    assert mine.log.ends() == other.log.ends()
    mine.commit(4)
    other.commit(4)
    assert mine.machine.snapshot([]) == other.machine.snapshot([])


@pytest.mark.parametrize("own", [(1, 1), (1, 1, 1), (1, 2)])
def test_a_new_primary_keeps_its_own_log_if_none_is_more_complete(own: tuple[int, ...]) -> None:
    assert fenced(replica(*own), replica(1, 1)).source is None
    assert fenced(replica(1), replica(1, 1), Rules(best_log_taken_over=False)).source is None


def test_the_most_complete_of_several_logs_is_taken_over() -> None:
    takeover = Takeover("n1", replica(1), ("n1", "n2", "n3", "n4", "n5"))
    for name, other in (("n2", replica(1, 1, 1)), ("n3", replica(1, 2))):
        answer = other.fence(Fence(configuration=NEXT))
        assert answer == Fenced(other.log.last)
        takeover.answered(name, answer)
    assert takeover.is_over()
    assert takeover.source == "n3"


def test_what_was_fetched_is_kept_for_the_next_attempt() -> None:
    mine, other = replica(1), compacted(1, 1, 2, 2)
    assert fetched(fenced(mine, other), other, pieces=3) == (None, [0, 50, 100])
    adopted, offsets = fetched(fenced(mine, other), other)
    assert offsets[0] == 150
    adopt(mine, adopted)
    assert mine.log.ends() == other.log.ends()
    assert mine.fetching.offset == 0


def test_a_log_that_has_changed_meanwhile_is_fetched_anew() -> None:
    mine, other = replica(1), replica(1, 1, 2, 2)
    fetched(fenced(mine, other), other, pieces=2)
    other.took(Take(4, entries(2), Matched(5)))
    adopted, offsets = fetched(fenced(mine, other), other)
    assert offsets[:3] == [100, 0, 50]
    adopt(mine, adopted)
    assert mine.log.ends() == other.log.ends()


def test_what_was_fetched_is_void_once_the_own_log_has_changed() -> None:
    mine, other = replica(1), replica(1, 1, 2, 2)
    fetched(fenced(mine, other), other, pieces=2)
    mine.took(Take(1, entries(1, 1)[1:], Matched(2)))
    adopted, offsets = fetched(fenced(mine, other), other)
    assert offsets[0] == 0
    adopt(mine, adopted)
    assert mine.log.ends() == other.log.ends()


def test_nothing_is_told_to_an_earlier_primary_nor_by_one_that_has_lost_something() -> None:
    fetch = Fetch(configuration=NEXT, ends=[NOTHING], offset=0, most=MOST)
    assert replica(1, epoch=4).fetch(fetch) == Refused(4)
    assert replica(1, epoch=4).fence(Fence(configuration=NEXT)) == Refused(4)
    lost = Replica(ready=False, epoch=3)
    assert isinstance(lost.fetch(fetch), NotReady)
    assert isinstance(lost.fence(Fence(configuration=NEXT)), NotReady)


@pytest.mark.slow
@pytest.mark.parametrize("compact_at_kib", [2, 1024])
def test_a_takeover_gets_through_thin_links(compact_at_kib: int) -> None:
    """It gets a snapshot, or entries. All that it lacks takes longer than any message may."""
    system = Strong(acknowledged_by="majority", compact_at_kib=compact_at_kib)
    assert takes_over_at_s(system, ("k1", "k2", "k3")) is not None
