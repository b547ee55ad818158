"""Snapshots on their way: transfers that go on whatever happens, and transfers that start over for nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from systems.raft.core.follower import Follower
from systems.raft.core.leader import Leader
from systems.raft.core.messages import Install, Message
from systems.raft.core.pieces import Sending
from systems.raft.core.progress import Progress
from systems.raft.core.role import Turn
from systems.raft.rules import CORRECT, Rules
from systems.raft.transfers import Transfers
from tests.helpers.raft_group import TIMING, Group


class Watched:
    """A group whose n3 was away: what it lacks is in snapshots alone, which go to it in pieces of a few characters."""

    def __init__(self, rules: Rules = CORRECT) -> None:
        self.group = Group("n1", "n2", "n3", rules=rules, timing=replace(TIMING, piece=3))
        self.group.checks = False
        self._transfers = Transfers()
        self._written = 0
        self.group.elect("n1")
        self.group.run(20)
        self.group.partition(["n1", "n2"], ["n3"])
        self.write(4)
        self.group.run(20)
        self.compact()
        self.group.heal()

    def write(self, values: int = 1, leader: str = "n1") -> None:
        for _ in range(values):
            self._written += 1
            self.group.propose(leader, f"x{self._written}")
            self.group.deliver(to=["n1", "n2"])

    def compact(self) -> None:
        for name in ("n1", "n2"):
            self.group.nodes[name].snapshot()

    def look(self) -> str | None:
        for name, node in self.group.nodes.items():
            if (why := self._transfers.broken(name, node.core)) is not None:
                return why
        return None

    def step(self) -> str | None:
        """One message comes, or time passes if there is none."""
        if self.group.sent:
            self.group.deliver_one(*next(iter(self.group.sent)))
        else:
            self.group.tick(20)
        return self.look()

    def received(self, characters: int) -> None:
        """n3 has that much of a snapshot."""
        while self.group.nodes["n3"].core.state.receiving.offset < characters:
            assert self.step() is None

    def goes_on(self, steps: int = 300) -> str | None:
        """What is wrong at any of the next steps."""
        return next((why for _ in range(steps) if (why := self.step()) is not None), None)


def test_a_transfer_that_goes_on_while_newer_snapshots_are_taken() -> None:
    watched = Watched()
    for characters in (3, 6, 9):
        watched.received(characters)
        watched.write()
        watched.compact()
        assert watched.look() is None
    assert watched.goes_on() is None
    assert watched.group.nodes["n3"].values == watched.group.nodes["n1"].values


@pytest.mark.parametrize("who", ["n1", "n3"])
def test_a_node_that_dies_starts_over(who: str) -> None:
    watched = Watched()
    watched.received(6)
    watched.group.kill(who)
    assert watched.look() is None
    watched.group.restart(who)
    assert watched.goes_on() is None
    assert watched.group.nodes["n3"].values == watched.group.nodes["n2"].values


def test_a_node_that_loses_its_disk_starts_over() -> None:
    watched = Watched()
    watched.received(6)
    watched.write()
    watched.compact()
    watched.group.kill("n3")
    assert watched.group.lose_disk("n3")
    assert watched.goes_on() is None
    assert watched.group.nodes["n3"].values == watched.group.nodes["n1"].values


def test_another_leader_starts_over() -> None:
    watched = Watched()
    watched.received(6)
    watched.group.hand_over("n1", "n2")
    while watched.group.leader != "n2":
        assert watched.step() is None
    watched.compact()
    assert watched.goes_on() is None
    assert watched.group.nodes["n3"].values == watched.group.nodes["n2"].values


def test_another_leader_has_an_older_snapshot() -> None:
    watched = Watched()
    watched.write()
    watched.group.nodes["n1"].snapshot()
    watched.received(6)
    before = watched.group.nodes["n3"].core.state.receiving.which
    assert before is not None
    watched.group.hand_over("n1", "n2")
    while watched.group.nodes["n3"].applied == 0:
        watched.group.deliver_one(*next(iter(watched.group.sent)))
    assert watched.group.nodes["n3"].applied < before.last
    assert watched.look() is None


def test_a_newer_snapshot_follows_one_that_has_arrived() -> None:
    watched = Watched()
    assert watched.goes_on() is None
    watched.group.partition(["n1", "n2"], ["n3"])
    watched.write(4)
    watched.group.run(20)
    watched.compact()
    watched.group.heal()
    assert watched.goes_on() is None
    assert watched.group.nodes["n3"].values == watched.group.nodes["n1"].values


def test_a_piece_that_comes_twice_is_put_where_it_does_not_belong() -> None:
    watched = Watched(replace(CORRECT, pieces_in_order=False))
    watched.received(3)
    while not isinstance(next(iter(watched.group.sent.get(("n1", "n3"), ())), None), Install):
        assert watched.step() is None
    for again in (True, False):
        watched.group.deliver_one("n1", "n3", again=again)
    assert watched.look() == "n3 has put together 9 characters that are not how n1's snapshot up to index 5 begins"


def test_pieces_of_two_leaders_are_put_together() -> None:
    watched = Watched(replace(CORRECT, pieces_of_one_snapshot=False))
    watched.write()
    watched.group.nodes["n1"].snapshot()
    watched.received(6)
    watched.group.hand_over("n1", "n2")
    told = watched.goes_on(60)
    assert told == "n3 has put together 9 characters that are not how n2's snapshot up to index 5 begins"


def with_the_newest(leader: Leader, name: str, progress: Progress) -> None:
    snapshot = leader._state.snapshot
    if snapshot is not None and (progress.sending is None or progress.sending.snapshot != snapshot):
        progress.sending = Sending(snapshot)
    SEND_PIECE(leader, name, progress)


def gives_up(progress: Progress, may_match: int, round_: int) -> None:
    progress.sending = None
    REFUSED(progress, may_match, round_)


def forgets(follower: Follower, source: str, message: Message) -> Turn | None:
    if not hasattr(message, "data"):
        follower._state.receiving.forget()
    return STEP(follower, source, message)


SEND_PIECE, REFUSED, STEP = Leader._send_piece, Progress.refused, Follower.step


@pytest.mark.parametrize(
    ("of", "name", "wrong", "why"),
    [
        (Leader, "_send_piece", with_the_newest, "n1 has begun to send n3 snapshots up to index"),
        (Progress, "refused", gives_up, "n1 has begun to send n3 snapshots up to index"),
        (Follower, "step", forgets, "characters of n1's snapshot up to index 5, and has 0 now"),
    ],
)
def test_a_transfer_that_starts_over_for_nothing(
    monkeypatch: pytest.MonkeyPatch, of: type, name: str, wrong: Callable[..., object], why: str
) -> None:
    monkeypatch.setattr(of, name, wrong)
    watched = Watched()
    told = None
    for _ in range(9):
        watched.group.tick(20)
        told = told or watched.goes_on(6)
        watched.write()
        watched.compact()
    assert why in (told or "")
