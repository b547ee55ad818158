"""What a node of the partitioned store may keep, and whom it counts as silent: nodes to accept, and nodes to reject."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from harness.cluster.ports import HOST, reserved
from harness.http.message import Request, Response
from harness.http.server import listen
from harness.node.disk import Disk
from systems.partitioned.imagined import DiscardsWhatIsOnItsWay
from systems.partitioned.messages import Beat, Entry, Held, Version
from systems.partitioned.moving import first_map
from systems.partitioned.own_rules import AsksWhoAnswers
from systems.partitioned.peer import Peer, answer
from systems.partitioned.storage import Storage
from systems.parts.owner import Owner
from systems.parts.partitioning.members import Member
from systems.parts.silence import SILENT_AFTER, Heard


class KeepsWhatComes(Storage):
    """Discards only what is on the disk."""

    def forget(self, low: str, high: str | None) -> int:
        waiting = self._waiting
        count = super().forget(low, high)
        self._waiting = waiting
        return count


class DropsWhatComes(Storage):
    """Discards everything that is on its way."""

    def forget(self, low: str, high: str | None) -> int:
        self._waiting = []
        return super().forget(low, high)


class KeepsTheFirst(Storage):
    """Leaves the first entry of a range."""

    def forget(self, low: str, high: str | None) -> int:
        self._waiting = [([one for one in held if one.place != low], notes, done) for held, notes, done in self._waiting]
        return 0


def discarded(storage: Storage) -> str | None:
    """What the rule finds of a node with four partitions."""
    storage.open()
    now = first_map("rendezvous", [Member("n1")], 1, 4, ())
    places = [one.low for one in now.partitions] + ["3a", "b7"]
    held = [Held(place, Entry(Version(1, "n1", 1, number), "v")) for number, place in enumerate(places)]
    assert asyncio.run(storage.put(held))
    rule = DiscardsWhatIsOnItsWay()
    shown: dict[str, dict[str, object]] = {"n1": {"storage": storage, "map": now, "opened": True}, "coordinator": {"map": now}}
    found = next((why for _ in range(16 * 5) if (why := rule.broken(shown)) is not None), None)
    assert [one.place for one in storage.between("", None)] == sorted(places)  # nothing has happened to it
    assert not storage.on_their_way
    return found


def test_a_node_discards_what_is_on_its_way_and_nothing_else(tmp_path: Path) -> None:
    assert discarded(Storage(Disk(tmp_path), lambda text: None)) is None
    assert DiscardsWhatIsOnItsWay().broken({"n1": {"storage": None, "map": None, "opened": False}}) is None


@pytest.mark.parametrize(
    ("kind", "why"),
    [(KeepsWhatComes, "n1 would keep '"), (KeepsTheFirst, "n1 would keep '"), (DropsWhatComes, "n1 would lose '")],
)
def test_a_node_that_keeps_something_or_loses_what_is_anothers(kind: type[Storage], why: str, tmp_path: Path) -> None:
    found = discarded(kind(Disk(tmp_path), lambda text: None))
    assert found is not None
    assert found.startswith(why)


def look(rule: AsksWhoAnswers, heard: Heard, start: int = 1) -> str | None:
    return rule.broken({"coordinator": {"map": None}, "n1": {"start": start, "peers": {"n2": heard}}})


def test_a_node_that_has_answered_nothing_lately_is_silent() -> None:
    rule = AsksWhoAnswers()
    for heard in (Heard(3, 0, False), Heard(3, 4, True), Heard(3, 9, True), Heard(4, 9, False), Heard(5, 13, True)):
        assert look(rule, heard) is None


def test_a_node_that_answers_is_not_silent() -> None:
    rule = AsksWhoAnswers()
    assert look(rule, Heard(3, 4, True)) is None
    assert look(rule, Heard(4, 4, True)) == "n1 counts n2 as silent, and only 0 requests were unanswered lately"
    assert look(rule, Heard(6, 7, True)) is not None


def test_a_new_start_counts_anew() -> None:
    rule = AsksWhoAnswers()
    assert look(rule, Heard(5, 3, False)) is None
    assert look(rule, Heard(6, 5, True), start=2) is None
    assert look(rule, Heard(7, 5, True), start=2) is not None


def test_a_peer_is_silent_until_it_answers_again() -> None:
    async def scene(port: int) -> list[Heard]:
        peer = Peer(Owner("partitioned", "n2"), (HOST, port))

        async def n2(request: Request) -> Response:
            return answer(Beat(1, None))

        for _ in range(SILENT_AFTER):
            await peer.ask("/beat", Beat(1, None), Beat, 1.0)
        found = [peer.heard]
        listening = await listen(n2, (HOST, port))
        await peer.ask("/beat", Beat(1, None), Beat, 1.0)
        peer.close()
        listening.close()
        return [*found, peer.heard]

    with reserved(1) as ports:
        silent = [Heard(0, SILENT_AFTER, True), Heard(1, SILENT_AFTER, False)]
        assert asyncio.run(scene(ports[0])) == silent
