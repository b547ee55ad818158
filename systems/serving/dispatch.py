"""Requests, sent to one replica after another until one answers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar, Final, NamedTuple

from harness.deadlines import HEADER, Deadline
from harness.pipelining import Message
from harness.run_client import RunClient
from harness.wire import Address, Response, encode_response
from systems.serving.admission import Admission
from systems.serving.policy import Pool
from systems.serving.retry_budget import RetryBudget

_LATER: Final = (("retry-after", "1"),)
_OVERLOADED: Final = encode_response(Response(503, b"overloaded: more requests are under way than may be", _LATER))
_REQUEST: Final = b"POST /predict HTTP/1.1\r\nhost: replica\r\n%scontent-length: %d\r\n\r\n%s"
_HEADER: Final = HEADER.encode()
_LEAST_S: Final = 0.001
"""The least time that the header can say. A deadline that is nearer has passed."""


class Failure(NamedTuple):
    """A try that brought no answer: at whom, and why."""

    name: str
    why: str


class Dispatcher:
    """Sends predictions to replicas. A prediction has no effect, so one whose fate is unknown may be asked elsewhere again.

    What comes together goes to one replica as a run. What that leaves open goes to another one, as a run too: a replica that
    dies leaves hundreds open at a time. What is open still goes on one by one, so that a request that breaks replicas takes no
    other with it.

    One with a deadline is neither sent nor awaited after it, and a replica is told how long its answer will be awaited.
    """

    MAX_TRIES: ClassVar[int] = 3
    """How often one request is sent at most."""

    TRY_TIMEOUT_S: ClassVar[float] = 0.25
    """How long one replica may take. What a frozen one costs; far above what a well one needs."""

    FAIR_S: ClassVar[float] = 0.1
    """A replica that had less time than this, because a deadline was near, has not failed: else hasty clients took well ones
    down."""

    def __init__(
        self,
        pool: Pool,
        replicas: Mapping[str, Address],
        log: Callable[[str], None],
        admission: Admission,
        retry_budget: RetryBudget,
    ) -> None:
        self._clients = {name: RunClient(address) for name, address in replicas.items()}
        self._pool = pool
        self._log = log
        self._admission = admission
        self._retry_budget = retry_budget
        self._clock = asyncio.get_running_loop().time
        self._outstanding = 0

    async def predict(self, messages: Sequence[Message], deadline: Deadline | None = None) -> None:
        """Answer the messages as a replica does; 504 where the deadline passed, 503 where none answered or too much is
        outstanding."""
        admitted = messages[: self._admission.admit(self._outstanding, len(messages))]
        for message in messages[len(admitted) :]:
            message.answer = _OVERLOADED
        if not admitted:
            return
        self._outstanding += len(admitted)
        self._retry_budget.earn(len(admitted), self._clock())
        try:
            await self.ask(admitted, (), deadline)
        finally:
            self._outstanding -= len(admitted)

    async def ask(self, messages: Sequence[Message], failures: Sequence[Failure], deadline: Deadline | None) -> None:
        """Answer the messages, by a replica that is not among those where they failed before."""
        now_s = self._clock()
        try_s = self.TRY_TIMEOUT_S if deadline is None else min(self.TRY_TIMEOUT_S, deadline.at_s - now_s)
        name = None
        if len(failures) < self.MAX_TRIES and try_s >= _LEAST_S:
            name = self._pool.choose([failure.name for failure in failures], now_s)
        if name is None:
            self._refuse(messages, failures, deadline)
            return
        if failures:
            allowed = self._retry_budget.spend(len(messages), now_s)
            self._refuse(messages[allowed:], [*failures, Failure("retries", "none is left in the budget")], deadline)
            messages = messages[:allowed]
            if not messages:
                return
        left_open, why = await self._try(name, messages, try_s, deadline)
        failures = [*failures, Failure(name, why)]
        if len(failures) == 1:
            if left_open:
                await self.ask(left_open, failures, deadline)
            return
        async with asyncio.TaskGroup() as tasks:
            for message in left_open:
                tasks.create_task(self.ask([message], failures, deadline))

    async def _try(
        self, name: str, messages: Sequence[Message], try_s: float, deadline: Deadline | None
    ) -> tuple[Sequence[Message], str]:
        """Send the messages to this replica. Those that it left open, and why."""
        asked_s = self._clock()
        permit = self._pool.sent(name, asked_s, len(messages))
        header = b"" if deadline is None else b"%s: %d\r\n" % (_HEADER, self.told_ms(deadline, try_s))
        requests = [_REQUEST % (header, len(message.body), message.body) for message in messages]
        try:
            answers, why = await self._clients[name].exchange(requests, timeout_s=try_s)
        except asyncio.CancelledError:
            self._pool.abandoned(name, len(messages), permit)
            raise
        now_s = self._clock()
        cut_short = deadline is not None and try_s < self.FAIR_S and deadline.at_s - now_s < _LEAST_S
        if not cut_short:
            self._admission.answered(now_s - asked_s, now_s)
        left_open = list(messages[len(answers) :])
        for message, answer in zip(messages, answers, strict=False):
            if answer.status < 500:
                message.answer = answer.data
            else:
                why = f"answered {answer.status}"
                left_open.append(message)
        why = why or ""
        if len(messages) > len(left_open):
            self._pool.answered(name, now_s, len(messages) - len(left_open), None if left_open else permit)
        if cut_short and left_open:
            self._pool.abandoned(name, len(left_open), permit)
        elif left_open and self._pool.failed(name, why, now_s, len(left_open), permit):
            self._log(f"{name} is down: its requests fail, the last one so: {why}")
        return left_open, why

    def told_ms(self, deadline: Deadline, try_s: float) -> int:
        """How long its answer will be awaited, as the replica is told it: not after the try, nor after the deadline."""
        return int(try_s * 1e3)

    def _refuse(self, messages: Sequence[Message], failures: Sequence[Failure], deadline: Deadline | None) -> None:
        reasons = f" ({'; '.join(f'{name}: {why}' for name, why in failures)})" if failures else ""
        if deadline is not None and deadline.at_s - self._clock() < _LEAST_S:
            refusal = Response(504, f"no answer within the {deadline.timeout_ms} ms that there were{reasons}".encode())
        else:
            refusal = Response(503, f"no replica answered{reasons or ' (none is up)'}".encode())
        answer = encode_response(refusal)
        for message in messages:
            message.answer = answer
