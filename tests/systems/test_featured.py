"""Featured: its topology, and what it refuses."""

from __future__ import annotations

import asyncio
from itertools import islice
from random import Random

import pytest

from harness.http.message import Request, Response, TransportError
from harness.http.server import listen
from harness.model.codec import describe, restore
from harness.model.errors import UsageError
from harness.model.system import System, links_of
from systems.featured import Featured
from systems.featured.asking import TimedClient, TimedTally
from workloads.scores import Scores


def test_each_replica_has_a_link_of_its_own_to_the_features() -> None:
    featured = Featured(replicas=2)
    assert isinstance(featured, System)
    assert {link.name for link in links_of(featured)} == {"client>r1", "client>r2", "r1>features", "r2>features"}
    assert restore(describe(featured)) == featured


@pytest.mark.parametrize(("settings", "words"), [({"replicas": 0}, "replicas=0"), ({"bug": "no-braker"}, "no-breaker")])
def test_what_makes_no_sense_is_refused(settings: dict[str, object], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        Featured(**settings)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="users=0"):
        Scores(users=0)


def test_fewer_users_are_asked_about_in_other_seeds_and_each_has_the_same_score() -> None:
    given = Scores(users=30, exact=True)
    varied = [given.varied(Random(seed)) for seed in range(20)]
    assert {one.users for one in varied} == {1, 3, 30}
    assert all(one.exact for one in varied)
    assert {call.key: call.expected for one in varied for call in one.final_calls()} == {
        call.key: call.expected for call in given.final_calls()
    }
    assert Scores(users=2).varied(Random(1)).users <= 2


def test_an_answer_is_slow_by_the_time_it_took_and_one_that_was_given_up_is_none() -> None:
    async def handle(request: Request) -> Response:
        await asyncio.sleep(float(request.query["s"]))
        return Response()

    async def main() -> TimedTally:
        server = await listen(handle, ("127.0.0.1", 0))
        client = TimedClient(server.sockets[0].getsockname()[:2], slow_s=0.1)
        await client.request("GET", "/?s=0", timeout_s=10)
        await client.request("GET", "/?s=0.11", timeout_s=10)
        with pytest.raises(TransportError):
            await client.request("GET", "/?s=5", timeout_s=0.11)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.11):
                await client.request("GET", "/?s=5", timeout_s=10)
        client.close()
        server.close()
        return client.tally

    tally = asyncio.run(main())
    assert (tally.ended, tally.given_up) == (3, 1)
    assert tally.slow >= 2  # a busy machine may make the first one slow as well


def test_the_same_seed_asks_the_same() -> None:
    first, second = (list(islice(Scores().calls(Random(3)), 50)) for _ in range(2))
    assert first == second
    assert len({call.key for call in first}) > 1
