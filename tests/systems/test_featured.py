"""Featured: its topology, and what it refuses."""

from __future__ import annotations

import asyncio
from itertools import islice
from pathlib import Path
from random import Random

import msgspec
import pytest

from harness.http.framing import MAX_HEAD_BYTES
from harness.http.message import BadBody, Request, Response, TransportError
from harness.http.server import listen
from harness.model.codec import describe, restore
from harness.model.errors import UsageError
from harness.model.system import System, links_of
from harness.node.context import NodeContext, NodeSpec
from systems.featured import BREAKER, Featured, replica
from systems.featured.asking import TimedClient, TimedTally
from systems.featured.messages import LONGEST_NAME, FeaturesReply, ScoreReply, ScoreRequest, features_of
from systems.featured.replica import Config, Server
from tests.helpers.closing import closing
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


def test_a_user_about_whom_the_features_cannot_be_asked_does_not_cost_others_theirs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replica, "FEATURES_TIMEOUT_S", 10.0)  # the machine may be slow

    async def give(request: Request) -> Response:
        return Response.json(FeaturesReply(features_of(request.query["user"])))

    async def main() -> None:
        async with closing(listen(give, ("127.0.0.1", 0))) as features:
            spec = NodeSpec(name="r1", start=0, host="", port=0, data=str(tmp_path), log="", seed=1)
            client = TimedClient(features.sockets[0].getsockname()[:2], BREAKER.slow_s)
            server = Server(NodeContext(spec), client, Config(workers=1, breaker=BREAKER))
            for _ in range(BREAKER.least_calls):
                with pytest.raises(BadBody, match="length"):
                    await server.handle(asking("x" * MAX_HEAD_BYTES))
            for user in ("ada", "\N{SNOWMAN}" * LONGEST_NAME):
                assert (await server.handle(asking(user))).decode(ScoreReply).source == "features"
            client.close()

    asyncio.run(main())


def asking(user: str) -> Request:
    return Request("POST", "/score", body=msgspec.json.encode(ScoreRequest(user)))


def test_the_same_seed_asks_the_same() -> None:
    first, second = (list(islice(Scores().calls(Random(3)), 50)) for _ in range(2))
    assert first == second
    assert len({call.key for call in first}) > 1
