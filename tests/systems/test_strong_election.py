"""When a replica of the strong store tries to become the primary."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from random import Random
from types import SimpleNamespace
from typing import Any, cast

import pytest

from systems.strong.bugs import CORRECT
from systems.strong.election import ANSWERED_WITHIN_S, GIVES_WAY_S, PATIENCE_S, Election
from systems.strong.keeper import KeeperUnreachable
from systems.strong.lease import LEASE_S, RENEW_S
from systems.strong.messages import Canvass, Configuration, ReplicaAnswer, ReplicaRequest, Willing
from systems.strong.replica import Replica, Take

NAMES = ("n1", "n2", "n3", "n4", "n5")
OTHERS = NAMES[1:]
STEP_S = 0.01
FULL_UNTIL_S = 4.0
LATE_S = 20.0
RENEWED = 3
"""The version by which n1 first renews its lease, after it has claimed an epoch."""


class World:
    """What n1 has around it: a clock that every look moves on, keepers, a disk, and other replicas that could follow."""

    def __init__(self, *, reached: tuple[str, ...] = OTHERS) -> None:
        self.now_s = 0.0
        self.configuration = Configuration(1, 1, "n2", NAMES, used=True)
        self.claimed_s: list[float] = []
        self.canvassed: list[str] = []
        self.looked = 0
        self.check_disk: Callable[[], None] = lambda: None
        self.takes_entries = False
        self._reached = reached

    def clock(self) -> float:
        self.now_s += STEP_S
        return self.now_s

    async def read(self) -> Configuration:
        self.looked += 1
        return self.configuration

    async def replace(self, known: Configuration, asked: Configuration) -> bool:
        self.claimed_s.append(self.now_s)
        self.configuration = asked
        return True

    def peer(self, name: str) -> Any:
        async def ask(request: ReplicaRequest, timeout_s: float) -> ReplicaAnswer | None:
            if name not in self._reached or not isinstance(request, Canvass):
                return None
            self.canvassed.append(name)
            return Willing()

        return SimpleNamespace(most=1024, ask=ask)

    def election(self, heard: Configuration | None = None, replica: Replica | None = None) -> Election:
        """The part of n1, which has heard what the keepers have and has lost nothing, unless it is said what else."""

        def take(replica: Replica, written: Take, needed_after: object) -> None:
            if not self.takes_entries:
                raise OSError("no space left for entries")
            replica.took(written)

        node = SimpleNamespace(name="n1", clock=self.clock, random=Random(1), log=lambda _: None)
        of = replica or Replica(epoch=1)
        storage = SimpleNamespace(replica=of, check=lambda: self.check_disk(), promise=lambda *_, **__: None)
        teller = SimpleNamespace(leads=lambda _: None, take=take, committed=lambda *_: None)
        election = Election(
            cast(Any, node), cast(Any, self), cast(Any, storage), cast(Any, teller), {name: self.peer(name) for name in OTHERS},
            replicas=NAMES, all_in_sync=True, rules=CORRECT,
        )  # fmt: skip
        election.heard(heard or self.configuration)
        return election

    async def keep(self, election: Election, until: Callable[[], bool]) -> None:
        """Let the replica stand by, with a loop whose clock is this one's, until something is so."""
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(asyncio.get_running_loop(), "time", self.clock)
            keeping = asyncio.create_task(election.keep())
            while not until():
                await asyncio.sleep(0)
            keeping.cancel()
            await asyncio.gather(keeping, return_exceptions=True)


class AnswerLost(World):
    """The keepers accept the first renewal, and n1 waits in vain for their answer."""

    async def replace(self, known: Configuration, asked: Configuration) -> bool:
        if known != self.configuration:
            return False
        await super().replace(known, asked)
        if asked.version == RENEWED:
            self.now_s += 0.9 * LEASE_S
            raise KeeperUnreachable("no answer")
        return True


def test_a_replica_that_reaches_the_keepers_and_no_majority_of_the_replicas_claims_nothing() -> None:
    world = World(reached=("n2",))
    asyncio.run(world.keep(world.election(), lambda: world.now_s > LATE_S))
    assert world.claimed_s == []
    assert world.canvassed
    assert world.looked > 2, "it has to hear from the keepers who is the primary meanwhile"
    assert world.looked < LATE_S / ANSWERED_WITHIN_S


def test_a_replica_that_reaches_a_majority_claims_the_next_epoch() -> None:
    world = World(reached=("n2", "n3"))
    asyncio.run(world.keep(world.election(), lambda: bool(world.claimed_s)))
    assert world.configuration == Configuration(2, 2, "n1", NAMES, used=True)


def test_a_replica_that_was_not_in_sync_asks_the_keepers_whether_it_is_now() -> None:
    """The primary that added it to those in sync died before it could say so."""
    world = World()
    election = world.election(heard=Configuration(1, 1, "n2", OTHERS, used=True))
    world.configuration = Configuration(2, 1, "n2", NAMES, used=True)
    asyncio.run(world.keep(election, lambda: bool(world.claimed_s) or world.now_s > LATE_S))
    assert world.configuration == Configuration(3, 2, "n1", NAMES, used=True)


def test_a_replica_that_is_not_in_sync_claims_nothing() -> None:
    world = World()
    world.configuration = Configuration(1, 1, "n2", OTHERS, used=True)
    asyncio.run(world.keep(world.election(), lambda: world.now_s > LATE_S))
    assert world.claimed_s == []
    assert world.looked < LATE_S / RENEW_S


def test_a_replica_that_has_lost_something_learns_only_from_what_was_sent_after_it_had_asked_the_keepers() -> None:
    world, lost = World(), Replica(ready=False)
    world.configuration = Configuration(7, 3, "n2", NAMES, used=True)
    election = world.election(replica=lost)
    asyncio.run(world.keep(election, lambda: election.informed))
    assert (lost.epoch, lost.ready, lost.informed_by) == (3, False, 7)


def test_a_replica_whose_disk_was_full_for_long_waits_no_longer_than_any_that_gave_way() -> None:
    """The disk has room again after a while, and then the primary is heard of once more."""
    world, checks = World(), []

    def check() -> None:
        checks.append(world.now_s)
        if world.now_s < FULL_UNTIL_S:
            raise OSError("no space left")

    async def scenario() -> None:
        election = world.election()
        await world.keep(election, lambda: world.now_s >= FULL_UNTIL_S)
        election.heard(Configuration(2, 1, "n2", NAMES, used=True))
        await world.keep(election, lambda: bool(world.claimed_s))

    world.check_disk = check
    asyncio.run(scenario())
    assert len(checks) > 2
    assert world.claimed_s[0] < FULL_UNTIL_S + LEASE_S + GIVES_WAY_S + PATIENCE_S + 15 * STEP_S


def test_a_primary_whose_disk_does_not_take_entries_leaves_it_to_the_others_for_a_while() -> None:
    """Its disk still takes the little that is tried before it claims an epoch."""
    world = World()
    asyncio.run(world.keep(world.election(), lambda: len(world.claimed_s) == 2))
    first_s, second_s = world.claimed_s
    assert second_s - first_s > LEASE_S + GIVES_WAY_S


def test_a_renewal_whose_answer_was_lost_extends_the_lease_no_further_when_it_is_found_to_be_in_force() -> None:
    """Another replica may have heard of it at once, and takes over when it has known it for as long as a lease."""
    world = AnswerLost()
    world.takes_entries = True
    election, too_long_s = world.election(), []

    def renewed_again() -> bool:
        if election.lease.holds(world.now_s) and world.now_s >= world.claimed_s[-1] + LEASE_S:
            too_long_s.append(world.now_s - world.claimed_s[-1])
        return world.configuration.version > RENEWED

    asyncio.run(world.keep(election, renewed_again))
    assert not too_long_s
