"""One request, sent to one replica after another until one answers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import ClassVar, Final

from harness.wire import Client, Response, WireError
from systems.serving.admission import Admission
from systems.serving.policy import Pool
from systems.serving.retry_budget import RetryBudget

_JSON: Final = (("content-type", "application/json"),)
_LATER: Final = (("retry-after", "1"),)


class Dispatcher:
    """Sends predictions to replicas. A prediction has no effect, so one whose fate is unknown may be asked elsewhere again."""

    MAX_TRIES: ClassVar[int] = 3
    """How often one request is sent at most."""

    TRY_TIMEOUT_S: ClassVar[float] = 0.25
    """How long one replica may take. What a frozen one costs; far above what a well one needs."""

    def __init__(
        self,
        pool: Pool,
        clients: Mapping[str, Client],
        log: Callable[[str], None],
        admission: Admission,
        retry_budget: RetryBudget,
    ) -> None:
        self._pool = pool
        self._clients = clients
        self._log = log
        self._admission = admission
        self._retry_budget = retry_budget
        self._clock = asyncio.get_running_loop().time
        self._outstanding = 0

    async def predict(self, body: bytes) -> Response:
        """A replica's answer, as it came; 503 where no replica gave one, or more is outstanding than may be."""
        if not self._admission.admit(self._outstanding):
            return Response(503, b"overloaded: more requests are under way than may be", _LATER)
        self._outstanding += 1
        self._retry_budget.earn(1, self._clock())
        try:
            return await self._ask_in_turn(body)
        finally:
            self._outstanding -= 1

    async def _ask_in_turn(self, body: bytes) -> Response:
        failures: dict[str, str] = {}
        for tries_before in range(self.MAX_TRIES):
            if tries_before and not self._retry_budget.spend(self._clock()):
                failures["retries"] = "none is left in the budget"
                break
            asked_s = self._clock()
            name = self._pool.choose(failures, asked_s)
            if name is None:
                break
            self._pool.sent(name)
            try:
                response = await self.ask(name, body, tries_before=tries_before)
            except asyncio.CancelledError:
                self._pool.abandoned(name)
                raise
            except WireError as error:
                failures[name] = str(error)
            else:
                if response.status < 500:
                    self._pool.answered(name, self._clock())
                    self._admission.answered(self._clock() - asked_s, self._clock())
                    return Response(response.status, response.body, _JSON)
                failures[name] = f"answered {response.status}"
            self._admission.answered(self._clock() - asked_s, self._clock())
            if self._pool.failed(name, failures[name], self._clock()):
                self._log(f"{name} is down: its requests fail, the last one so: {failures[name]}")
        reasons = "; ".join(f"{name}: {why}" for name, why in failures.items())
        return Response(503, f"no replica answered ({reasons or 'none is up'})".encode())

    async def ask(self, name: str, body: bytes, *, tries_before: int) -> Response:
        """Send the request to one replica. `tries_before`: how often it has failed already."""
        return await self._clients[name].request("POST", "/predict", body, timeout_s=self.TRY_TIMEOUT_S)
