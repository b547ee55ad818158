"""Sends requests to one replica after another until one answers."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar, Final, NamedTuple

from harness.http.batched_client import BatchedHttpClient
from harness.http.deadlines import HEADER, Deadline
from harness.http.message import Response
from harness.http.plain import framed
from harness.http.requests import Message
from harness.http.writing import encode_response, request_start
from harness.model.system import Address
from systems.parts.retry_budget import RetryBudget
from systems.serving.admission import Admission
from systems.serving.choice_rules import Choices
from systems.serving.exchanges import Exchanges, Tries
from systems.serving.policy import Pool

_LATER: Final = (("retry-after", "1"),)
_OVERLOADED: Final = encode_response(Response(503, b"overloaded: more requests are under way than may be", _LATER))
_START: Final = request_start("POST", "/predict", host="replica")
_NO_TIME_LEFT: Final = 504
_LEAST_S: Final = 0.001
"""The shortest time that the header can express. A nearer deadline counts as passed."""


class Failure(NamedTuple):
    """A failed try: at which replica, and why."""

    name: str
    why: str


class Dispatcher:
    """Sends predictions to replicas. A prediction has no side effect, so one with an unknown outcome may be retried elsewhere.

    Requests that arrive together go to one replica as a batch. Those that it leaves unanswered go to another one, also as a
    batch: a replica that dies leaves hundreds at a time. Those still unanswered are sent one by one, to all replicas that are
    left, so that a request that breaks replicas takes only those with it that are at the same replica in that moment.

    With `hedge_s`, requests that have no answer after that long go to a second replica as well, at the price of a retry, and
    the first answer counts (Dean and Barroso, "The Tail at Scale", CACM 56(2), 2013, "Hedged requests").

    A request with a deadline is neither sent nor awaited after it, and the replica is told how long its answer will be awaited.
    """

    CLIENT: ClassVar[type[BatchedHttpClient]] = BatchedHttpClient
    """The kind of client for each replica."""

    MAX_TRIES: ClassVar[int] = 3
    """The most times that one request is sent."""

    TRY_TIMEOUT_S: ClassVar[float] = 0.25
    """How long one replica may take: this is what a frozen one costs. A healthy one needs far less."""

    FAIR_S: ClassVar[float] = 0.1
    """A replica that had less time than this, because a deadline was near, has not failed if it ran out of time, or says itself
    (504) that it would: otherwise clients with short deadlines would take healthy replicas down."""

    FAILURE: ClassVar[int] = 500
    """An answer with this status or higher is a failure of the replica, and the request is sent elsewhere."""

    def __init__(
        self,
        pool: Pool,
        replicas: Mapping[str, Address],
        log: Callable[[str], None],
        admission: Admission,
        retry_budget: RetryBudget,
        hedge_s: float | None = None,
    ) -> None:
        self._clients = {name: self.CLIENT(address) for name, address in replicas.items()}
        self._exchanges = {name: Exchanges(pool.slow_s) for name in replicas}
        self.tries = Tries(admission.overload_s)
        """What became of the tries of which admission control knows."""
        self._pool = pool
        self._log = log
        self._admission = admission
        self._retry_budget = retry_budget
        self._clock = asyncio.get_running_loop().time
        self.choices = Choices()
        """Of replicas, to look at."""
        self._outstanding = 0
        self._hedge_s = hedge_s
        self.admitted = 0
        """Requests that were let in so far."""
        self.wanted = 0
        """Requests that were to be sent to another replica, if the budget had a retry for each."""
        self.again = 0
        """Exchanges that were begun with requests that had been sent before. A hedge begins a moment after it is paid for."""
        self.hedges = 0
        """How many requests were sent to a second replica before the first had answered."""
        self.most_suspects = 0
        """The most requests that were sent together after two replicas had left each of them unanswered."""
        self.past_deadline_s = -math.inf
        """How long after its deadline a try was to end, when that was decided: the longest."""

    @property
    def outstanding(self) -> int:
        """How many admitted requests have no answer yet."""
        return self._outstanding

    @property
    def sent(self) -> int:
        """How often requests were sent to replicas so far."""
        return sum(client.requests for client in self._clients.values())

    def awaited(self, name: str) -> int:
        """Requests that were sent to this replica, as far as its connections wait for answers."""
        return self._clients[name].awaited

    def ended(self, name: str) -> int:
        """Requests to this replica that were answered, or failed, and not given up before."""
        client = self._clients[name]
        return client.requests - client.awaited - client.given_up

    def exchanges(self, name: str) -> Exchanges:
        """What became of the exchanges with this replica."""
        return self._exchanges[name]

    async def predict(self, messages: Sequence[Message], deadline: Deadline | None = None) -> None:
        """Answer the messages with a replica's answers; 504 if the deadline passed, 503 if no replica answered or too many
        requests are outstanding."""
        admitted = messages[: self._admission.admit(self._outstanding, len(messages))]
        for message in messages[len(admitted) :]:
            message.answer = _OVERLOADED
        if not admitted:
            return
        self._outstanding += len(admitted)
        self.admitted += len(admitted)
        self._retry_budget.earn(len(admitted), self._clock())
        try:
            await self.ask(admitted, (), deadline)
        finally:
            self._outstanding -= len(admitted)

    async def ask(self, messages: Sequence[Message], failures: Sequence[Failure], deadline: Deadline | None) -> None:
        """Answer the messages by a replica other than those in `failures`."""
        now_s = self._clock()
        try_s = self._try_s(deadline, now_s)
        name = None
        if len(failures) < self.MAX_TRIES and try_s >= _LEAST_S:
            name = self._choose([failure.name for failure in failures], now_s, try_s, deadline)
        if name is None:
            self._refuse(messages, failures, deadline)
            return
        if failures:
            allowed = self._paid_for(len(messages), now_s)
            self._refuse(messages[allowed:], [*failures, Failure("retries", "none is left in the budget")], deadline)
            messages = messages[:allowed]
            if not messages:
                return
            if len(failures) > 1:
                self.most_suspects = max(self.most_suspects, len(messages))
        if failures or self._hedge_s is None:
            left_open, why = await self._try(name, messages, try_s, deadline, again=bool(failures))
            failures = [*failures, Failure(name, why)]
        else:
            left_open, failures = await self._try_hedged(name, messages, try_s, deadline, self._hedge_s)
        if len(failures) == 1:
            if left_open:
                await self.ask(left_open, failures, deadline)
            return
        async with asyncio.TaskGroup() as tasks:
            for message in left_open:
                tasks.create_task(self.ask([message], failures, deadline))

    async def _try_hedged(
        self, name: str, messages: Sequence[Message], try_s: float, deadline: Deadline | None, hedge_s: float
    ) -> tuple[Sequence[Message], Sequence[Failure]]:
        """Send the messages to this replica and, if it takes long, to another one; returns the unanswered ones, and why.

        The slower try is abandoned. Being slower than another replica is too little evidence to count as a failure.
        """
        async with asyncio.TaskGroup() as tasks:
            first = tasks.create_task(self._try(name, messages, try_s, deadline))
            tries = {first: name}
            await asyncio.wait(tries, timeout=hedge_s)
            now_s = self._clock()
            try_s = self._try_s(deadline, now_s)
            second = None
            if not first.done() and try_s >= _LEAST_S:
                second = self._choose([name], now_s, try_s, deadline)
            if second is not None:
                hedged = messages[: self._paid_for(len(messages), now_s)]
                self.hedges += len(hedged)
                if hedged:
                    tries[tasks.create_task(self._try(second, hedged, try_s, deadline, again=True))] = second
            under_way = {task for task in tries if not task.done()}
            while under_way and not all(message.answer for message in messages):
                _, under_way = await asyncio.wait(under_way, return_when=asyncio.FIRST_COMPLETED)
            for task in under_way:
                task.cancel()
        left_open = [message for message in messages if not message.answer]
        failures = [Failure(tried, task.result()[1]) for task, tried in tries.items() if left_open and task.result()[0]]
        return left_open, failures

    async def _try(
        self, name: str, messages: Sequence[Message], try_s: float, deadline: Deadline | None, *, again: bool = False
    ) -> tuple[Sequence[Message], str]:
        """Send the messages to this replica; returns the unanswered ones, and why."""
        asked_s = self._clock()
        permit = self._pool.sent(name, asked_s, len(messages))
        exchanges = self._exchanges[name]
        exchanges.begun(permit)
        self.again += again
        start = _START if deadline is None else self._timed_start(self.told_ms(deadline, try_s))
        requests = framed(start, [message.body for message in messages])
        try:
            answers, why = await self._clients[name].exchange(requests, len(messages), timeout_s=try_s)
        except asyncio.CancelledError:
            self._pool.abandoned(name, len(messages), permit)
            exchanges.given_up(permit)
            raise
        now_s = self._clock()
        hasty = deadline is not None and try_s < self.FAIR_S
        cut_short = deadline is not None and hasty and deadline.at_s - now_s < _LEAST_S
        if not cut_short:
            self.tries.ended(now_s - asked_s)
            self._admission.answered(now_s - asked_s, now_s, len(answers))
        left_open, refused = list(messages[len(answers) :]), set[int]()
        for message, answer in zip(messages, answers, strict=False):
            if answer.head.status < self.FAILURE:
                message.answer = answer.content
            else:
                why = f"answered {answer.status}"
                refused.add(answer.head.status)
                left_open.append(message)
        why = why or ""
        no_time_left = hasty and len(answers) == len(messages) and refused == {_NO_TIME_LEFT}
        if len(messages) > len(left_open):
            self._pool.answered(name, now_s, len(messages) - len(left_open), None if left_open else permit)
        if (cut_short or no_time_left) and left_open:
            self._pool.abandoned(name, len(left_open), permit)
            exchanges.given_up(permit)
        else:
            exchanges.ended(permit, failed=bool(left_open), took_s=now_s - asked_s)
            if left_open and self._pool.failed(name, why, now_s, len(left_open), permit):
                self._log(f"{name} is down: its requests fail, the last one so: {why}")
        return left_open, why

    def _paid_for(self, retries: int, now_s: float) -> int:
        self.wanted += retries
        return self._retry_budget.spend(retries, now_s)

    def _choose(self, tried: Sequence[str], now_s: float, try_s: float, deadline: Deadline | None) -> str | None:
        """The replica for a try that may take `try_s` from now."""
        if deadline is not None:
            self.past_deadline_s = max(self.past_deadline_s, now_s + try_s - deadline.at_s)
        name = self._pool.choose(tried, now_s)
        self.choices.add(name, tried)
        return name

    def _try_s(self, deadline: Deadline | None, now_s: float) -> float:
        """How long a try that begins now may take."""
        return self.TRY_TIMEOUT_S if deadline is None else min(self.TRY_TIMEOUT_S, deadline.at_s - now_s)

    def told_ms(self, deadline: Deadline, try_s: float) -> int:
        """How long the replica is told that its answer will be awaited: until the try times out or the deadline passes."""
        return int(try_s * 1e3)

    @staticmethod
    def _timed_start(told_ms: int) -> bytes:
        return request_start("POST", "/predict", host="replica", headers=((HEADER, str(told_ms)),))

    def _refuse(self, messages: Sequence[Message], failures: Sequence[Failure], deadline: Deadline | None) -> None:
        reasons = f" ({'; '.join(f'{name}: {why}' for name, why in failures)})" if failures else ""
        if deadline is not None and deadline.at_s - self._clock() < _LEAST_S:
            refusal = Response(504, f"no answer within the {deadline.timeout_ms} ms that there were{reasons}".encode())
        else:
            refusal = Response(503, f"no replica answered{reasons or ' (none is up)'}".encode())
        answer = encode_response(refusal)
        for message in messages:
            message.answer = answer
