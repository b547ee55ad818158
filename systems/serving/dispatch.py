"""One request, sent to one replica after another until one answers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar, Final

from harness.deadlines import HEADER, Deadline
from harness.pipelining import Message
from harness.run_client import RunClient
from harness.wire import Client, Headers, Response, WireError, encode_response
from systems.serving.admission import Admission
from systems.serving.policy import Pool
from systems.serving.retry_budget import RetryBudget

_JSON: Final = (("content-type", "application/json"),)
_LATER: Final = (("retry-after", "1"),)
_OVERLOADED: Final = Response(503, b"overloaded: more requests are under way than may be", _LATER)
_REQUEST: Final = b"POST /predict HTTP/1.1\r\nhost: replica\r\n%scontent-length: %d\r\n\r\n%s"
_HEADER: Final = HEADER.encode()
_LEAST_S: Final = 0.001
"""The least time that the header can say. A deadline that is nearer has passed."""


class Dispatcher:
    """Sends predictions to replicas. A prediction has no effect, so one whose fate is unknown may be asked elsewhere again.

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
        clients: Mapping[str, Client],
        log: Callable[[str], None],
        admission: Admission,
        retry_budget: RetryBudget,
    ) -> None:
        self._run_clients = {name: RunClient(client.address) for name, client in clients.items()}
        self._pool = pool
        self._clients = clients
        self._log = log
        self._admission = admission
        self._retry_budget = retry_budget
        self._clock = asyncio.get_running_loop().time
        self._outstanding = 0

    async def predict(self, body: bytes, deadline: Deadline | None = None) -> Response:
        """A replica's answer, as it came; 504 where the deadline passed, 503 where none answered or too much is outstanding."""
        if not self._admission.admit(self._outstanding):
            return _OVERLOADED
        self._outstanding += 1
        self._retry_budget.earn(1, self._clock())
        try:
            return await self._ask_in_turn(body, {}, deadline)
        finally:
            self._outstanding -= 1

    async def predict_run(self, messages: Sequence[Message], deadline: Deadline | None = None) -> None:
        """Answer the messages: all are sent to one replica as one run, and what it leaves open is retried one by one."""
        admitted = messages[: self._admission.admit(self._outstanding, len(messages))]
        for message in messages[len(admitted) :]:
            message.answer = encode_response(_OVERLOADED)
        if not admitted:
            return
        self._outstanding += len(admitted)
        asked_s = self._clock()
        self._retry_budget.earn(len(admitted), asked_s)
        try:
            await self._forward(admitted, asked_s, deadline)
        finally:
            self._outstanding -= len(admitted)

    async def _forward(self, messages: Sequence[Message], asked_s: float, deadline: Deadline | None) -> None:
        try_s = self._try_s(deadline, asked_s)
        name = self._pool.choose((), asked_s)
        if name is None or try_s < _LEAST_S:
            refusal = encode_response(self._refusal({}, deadline))
            for message in messages:
                message.answer = refusal
            return
        permit = self._pool.sent(name, asked_s, len(messages))
        header = b"" if deadline is None else b"%s: %d\r\n" % (_HEADER, self.told_ms(deadline, try_s))
        requests = [_REQUEST % (header, len(message.body), message.body) for message in messages]
        try:
            answers, why = await self._run_clients[name].exchange(requests, timeout_s=try_s)
        except asyncio.CancelledError:
            self._pool.abandoned(name, len(messages), permit)
            raise
        now_s = self._clock()
        cut_short = self._cut_short(deadline, try_s, now_s)
        if not cut_short:
            self._admission.answered(now_s - asked_s, now_s)
        open_messages = list(messages[len(answers) :])
        for message, answer in zip(messages, answers, strict=False):
            if answer.status < 500:
                message.answer = answer.data
            else:
                why = f"answered {answer.status}"
                open_messages.append(message)
        if len(messages) > len(open_messages):
            self._pool.answered(name, now_s, len(messages) - len(open_messages), None if open_messages else permit)
        if not open_messages:
            return
        failures = {name: why or ""}
        if cut_short:
            self._pool.abandoned(name, len(open_messages), permit)
        elif self._pool.failed(name, failures[name], now_s, len(open_messages), permit):
            self._log(f"{name} is down: its requests fail, the last one so: {failures[name]}")

        async def retry(message: Message) -> None:
            message.answer = encode_response(await self._ask_in_turn(message.body, dict(failures), deadline))

        async with asyncio.TaskGroup() as tasks:
            for message in open_messages:
                tasks.create_task(retry(message))

    async def _ask_in_turn(self, body: bytes, failures: dict[str, str], deadline: Deadline | None) -> Response:
        """Ask until one answers. `failures`: whom it was sent to already, and what came of it."""
        for tries_before in range(len(failures), self.MAX_TRIES):
            try_s = self._try_s(deadline, self._clock())
            if try_s < _LEAST_S:
                break
            if tries_before and not self._retry_budget.spend(self._clock()):
                failures["retries"] = "none is left in the budget"
                break
            asked_s = self._clock()
            name = self._pool.choose(failures, asked_s)
            if name is None:
                break
            permit = self._pool.sent(name, asked_s)
            try:
                told = () if deadline is None else ((HEADER, str(self.told_ms(deadline, try_s))),)
                response = await self.ask(name, body, tries_before=tries_before, timeout_s=try_s, headers=told)
            except asyncio.CancelledError:
                self._pool.abandoned(name, permit=permit)
                raise
            except WireError as error:
                failures[name] = str(error)
            else:
                if response.status < 500:
                    self._pool.answered(name, self._clock(), permit=permit)
                    self._admission.answered(self._clock() - asked_s, self._clock())
                    return Response(response.status, response.body, _JSON)
                failures[name] = f"answered {response.status}"
            if self._cut_short(deadline, try_s, self._clock()):
                self._pool.abandoned(name, permit=permit)
                break
            self._admission.answered(self._clock() - asked_s, self._clock())
            if self._pool.failed(name, failures[name], self._clock(), permit=permit):
                self._log(f"{name} is down: its requests fail, the last one so: {failures[name]}")
        return self._refusal(failures, deadline)

    async def ask(self, name: str, body: bytes, *, tries_before: int, timeout_s: float, headers: Headers = ()) -> Response:
        """Send the request to one replica. `tries_before`: how often it has failed already."""
        return await self._clients[name].request("POST", "/predict", body, timeout_s=timeout_s, headers=headers)

    def told_ms(self, deadline: Deadline, try_s: float) -> int:
        """How long its answer will be awaited, as the replica is told it: not after the try, nor after the deadline."""
        return int(try_s * 1e3)

    def _try_s(self, deadline: Deadline | None, now_s: float) -> float:
        """How long a try may take that begins now."""
        return self.TRY_TIMEOUT_S if deadline is None else min(self.TRY_TIMEOUT_S, deadline.at_s - now_s)

    def _cut_short(self, deadline: Deadline | None, try_s: float, now_s: float) -> bool:
        """The deadline ended a try before it could show anything of the replica."""
        return deadline is not None and try_s < self.FAIR_S and deadline.at_s - now_s < _LEAST_S

    def _refusal(self, failures: Mapping[str, str], deadline: Deadline | None) -> Response:
        if deadline is not None and deadline.at_s - self._clock() < _LEAST_S:
            return Response(504, f"no answer within the {deadline.timeout_ms} ms that there were{_reasons(failures)}".encode())
        return Response(503, f"no replica answered{_reasons(failures) or ' (none is up)'}".encode())


def _reasons(failures: Mapping[str, str]) -> str:
    return f" ({'; '.join(f'{name}: {why}' for name, why in failures.items())})" if failures else ""
