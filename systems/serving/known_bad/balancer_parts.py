"""Known-bad parts of the balancer. `systems.serving.bugs` says what is wrong with each."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Collection, Sequence
from functools import cached_property
from random import Random
from typing import ClassVar

import msgspec

from harness.http.batched_client import BatchedHttpClient
from harness.http.batched_server import RequestBatch
from harness.http.deadlines import Deadline
from harness.http.pool import Connection, ConnectionPool, account
from harness.http.requests import Message
from systems.parts.breaker import Permit
from systems.parts.breaker_bugs import NeverCloses, NeverOpens, SeesNoFailures, SeesNoSlowness, UnboundedProbes
from systems.parts.retry_budget import RetryBudget
from systems.serving.admission import Admission
from systems.serving.breakers import Breakers
from systems.serving.coalescing import Gatherer
from systems.serving.dispatch import Dispatcher, Failure
from systems.serving.health import CHECK_TIMEOUT_S, HealthChecker
from systems.serving.policy import Pool, Replica
from systems.serving.settings import Settings


class SameReplicaRetry(Pool):
    def choose(self, tried: Collection[str] = (), now_s: float = 0.0) -> str | None:
        return next(iter(tried)) if tried else super().choose((), now_s)


class BlindChoice(Pool):
    def sent(self, name: str, now_s: float, requests: int = 1) -> Permit | None:
        return None


class EjectsAll(Pool):
    def may_eject(self, name: str, now_s: float) -> bool:
        return True


class NoBreaker(Pool):
    BREAKER = NeverOpens


class BreakerNeverCloses(Pool):
    BREAKER = NeverCloses


class BreakerUnboundedProbes(Pool):
    BREAKER = UnboundedProbes


class BreakerSeesNoFailures(Pool):
    BREAKER = SeesNoFailures


class BreakerSeesNoSlowness(Pool):
    BREAKER = SeesNoSlowness


class BreakersLeaveNobody(Pool):
    def choose(self, tried: Collection[str] = (), now_s: float = 0.0) -> str | None:
        name = super().choose(tried, now_s)
        return None if name is None or self._breakers.state(name, now_s) == "open" else name


class BreakersLeaveOne(Pool):
    def __init__(self, names: Sequence[str], settings: Settings, random: Random) -> None:
        super().__init__(names, settings, random)
        self._breakers = Breakers(names, msgspec.structs.replace(settings, max_ejected=1.0), self.BREAKER)


class ShedsNothing(Admission):
    def admit(self, outstanding: int, requests: int = 1) -> int:
        return requests


class NoRetryBudget(RetryBudget):
    def spend(self, retries: int, now_s: float) -> int:
        return retries


class IgnoresHealth(Pool):
    def _take_down(self, replica: Replica) -> bool:
        return False


class LosesAbandoned(Pool):
    def abandoned(self, name: str, requests: int = 1, permit: Permit | None = None) -> None:
        if permit is not None:
            permit.dropped()


class NeverRecovers(Pool):
    def check_passed(self, name: str, now_s: float) -> bool:
        return False


class DeadChecker(HealthChecker):
    async def run(self) -> None:
        self._unwatched = asyncio.create_task(super().run())
        await asyncio.Event().wait()

    async def check(self, name: str) -> str | None:
        response = await self._clients[name].request("GET", "/healthz", timeout_s=CHECK_TIMEOUT_S)
        return None if response.status == 200 else f"answered {response.status}"


class ChecksInTurn(HealthChecker):
    @cached_property
    def _turn(self) -> asyncio.Lock:
        return asyncio.Lock()

    async def check(self, name: str) -> str | None:
        async with self._turn:
            return await super().check(name)


class LimitStaysCut(Admission):
    def _adjust(self, overload_s: float) -> None:
        before = self._limit
        super()._adjust(overload_s)
        self._limit = min(before, self._limit)


class OneCancelsAll(Gatherer):
    @staticmethod
    def has_no_use(batches: Sequence[RequestBatch]) -> bool:
        return any(batch.given_up for batch in batches)


class DeadlineBlamed(Dispatcher):
    FAIR_S = 0.0


class SwappedAnswers(Dispatcher):
    @cached_property
    def _asked(self) -> deque[asyncio.Future[bytes]]:
        return deque()

    async def predict(self, messages: Sequence[Message], deadline: Deadline | None = None) -> None:
        await asyncio.gather(*(self._predict_one(message, deadline) for message in messages))

    async def _predict_one(self, message: Message, deadline: Deadline | None) -> None:
        mine: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._asked.append(mine)
        await super().predict([message], deadline)
        self._asked.popleft().set_result(message.answer)  # the first request still waiting, not the one that this answers
        message.answer = await mine


class CollidingCache(Dispatcher):
    @cached_property
    def _cache(self) -> dict[bytes, bytes]:
        return {}

    async def predict(self, messages: Sequence[Message], deadline: Deadline | None = None) -> None:
        await super().predict([message for message in messages if _beginning(message) not in self._cache], deadline)
        for message in messages:
            message.answer = self._cache.setdefault(_beginning(message), message.answer)


def _beginning(message: Message) -> bytes:
    """The image's first pixels."""
    return message.body[:40]


class NoTimeout(Dispatcher):
    TRY_TIMEOUT_S = 3600


class PassesErrorsOn(Dispatcher):
    FAILURE = 600


class NoRetry(Dispatcher):
    MAX_TRIES = 1


class DropsOnRetry(Dispatcher):
    async def ask(self, messages: Sequence[Message], failures: Sequence[Failure], deadline: Deadline | None) -> None:
        for message in messages if failures else ():
            message.body = b""
        await super().ask(messages, failures, deadline)


class HedgesAfter(Dispatcher):
    AFTER_S: ClassVar[float]

    async def _try_hedged(
        self, name: str, messages: Sequence[Message], try_s: float, deadline: Deadline | None, hedge_s: float
    ) -> tuple[Sequence[Message], Sequence[Failure]]:
        return await super()._try_hedged(name, messages, try_s, deadline, self.AFTER_S)


class HedgesAtOnce(HedgesAfter):
    AFTER_S = 0.0


class HedgesNothing(HedgesAfter):
    AFTER_S = 3600.0


class _LosesTied(ConnectionPool[Connection]):
    def give_back(self, connection: Connection) -> None:
        task = asyncio.current_task()
        if task is not None and task.cancelling() and connection.reusable:
            account().given_back(self.address)  # neither kept nor closed
        else:
            super().give_back(connection)


class _LosingClient(BatchedHttpClient):
    POOL = _LosesTied


class LosesTiedConnections(Dispatcher):
    CLIENT = _LosingClient


class DeadlineRestarts(Dispatcher):
    def told_ms(self, deadline: Deadline, try_s: float) -> int:
        return deadline.timeout_ms
