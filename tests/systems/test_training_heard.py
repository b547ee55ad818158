"""What a coordinator takes from the connections that ranks hold to it."""

from __future__ import annotations

import asyncio

import msgspec

from harness.http.message import Request
from systems.training.heard import Heard
from systems.training.membership import Limits, Membership
from systems.training.messages import WATCH, WATCH_S, Beat


def beat_of(incarnation: int) -> Beat:
    return Beat(name="rank0", incarnation=incarnation, generation=0, phase="idle", step=0, waiting_s=0, error="")


class Loop(asyncio.SelectorEventLoop):
    """A loop whose clock can be set ahead."""

    ahead_s = 0.0

    def time(self) -> float:
        return super().time() + self.ahead_s


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def test_a_rank_has_one_watch_and_only_its_end_shows_that_the_rank_is_gone() -> None:
    async def scenario() -> None:
        membership = Membership(["rank0"], Limits(), 0.0)
        heard = Heard(membership, lambda: 0.0)

        def watch(incarnation: int) -> asyncio.Task[object]:
            request = Request(method="POST", path=WATCH, body=msgspec.json.encode(beat_of(incarnation)))
            return asyncio.create_task(heard.handle(request))

        lost = watch(1)  # the machine loses power: its end is never seen
        await settle()
        assert not lost.done()
        membership.beat(beat_of(2), 0.0)
        last = watch(2)
        await settle()
        assert lost.done()
        again = watch(2)  # the same process, after its connection was lost on the way
        await settle()
        assert last.done()
        assert not membership.silent("rank0", 0.0)
        again.cancel()
        await settle()
        assert membership.silent("rank0", 0.0)

    asyncio.run(scenario())


def test_a_watch_is_renewed_before_the_rank_gives_it_up_and_that_is_no_sign_that_the_rank_is_gone() -> None:
    async def scenario() -> None:
        membership = Membership(["rank0"], Limits(), 0.0)
        heard = Heard(membership, lambda: 0.0)
        membership.beat(beat_of(1), 0.0)
        watch = asyncio.create_task(heard.handle(Request(method="POST", path=WATCH, body=msgspec.json.encode(beat_of(1)))))
        await settle()
        assert not watch.done()
        loop.ahead_s += WATCH_S - 1
        await settle()
        assert watch.done()
        assert not membership.silent("rank0", 0.0)

    loop = Loop()
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(scenario())
