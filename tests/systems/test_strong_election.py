"""When a replica of the strong store tries to become the primary."""

from __future__ import annotations

import asyncio
from random import Random
from types import SimpleNamespace
from typing import Any, cast

from systems.strong.bugs import CORRECT
from systems.strong.election import GIVES_WAY_S, PATIENCE_S, Election
from systems.strong.lease import LEASE_S
from systems.strong.messages import Configuration

STEP_S = 0.1
FULL_UNTIL_S = 4.0


class World:
    """A replica's clock, keepers and disk, which is full at first. Every look at the clock takes time."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.configuration = Configuration(1, 1, "n2", ("n1", "n2", "n3"))
        self.claimed = asyncio.Event()
        self.checks = 0

    def clock(self) -> float:
        self.now_s += STEP_S
        return self.now_s

    async def read(self) -> Configuration:
        return self.configuration

    async def replace(self, known: Configuration, asked: Configuration) -> bool:
        self.claimed.set()
        await asyncio.Event().wait()
        return True

    def check(self) -> None:
        self.checks += 1
        if self.now_s < FULL_UNTIL_S:
            raise OSError("no space left")


def test_a_replica_whose_disk_was_full_for_long_waits_no_longer_than_any_that_gave_way() -> None:
    world = World()
    asyncio.run(until_it_claims(world))
    assert world.checks > 2
    assert world.now_s < FULL_UNTIL_S + LEASE_S + GIVES_WAY_S + PATIENCE_S + 10 * STEP_S


async def until_it_claims(world: World) -> None:
    """The disk has room again after a while, and then the primary is heard of once more."""
    node = SimpleNamespace(name="n1", clock=world.clock, random=Random(1), log=lambda _: None)
    storage = SimpleNamespace(replica=SimpleNamespace(ready=True), check=world.check)
    election = Election(
        cast(Any, node), cast(Any, world), cast(Any, storage), cast(Any, None), {},
        cluster="c", replicas=("n1", "n2", "n3"), all_in_sync=True, rules=CORRECT,
    )  # fmt: skip
    election.heard(world.configuration)
    keeping = asyncio.create_task(election.keep())
    while world.now_s < FULL_UNTIL_S:
        await asyncio.sleep(0)
    election.heard(Configuration(2, 1, "n2", ("n1", "n2", "n3")))
    await world.claimed.wait()
    keeping.cancel()
