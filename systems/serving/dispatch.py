"""One request, sent to one replica after another until one answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import ClassVar, Final

from harness.wire import Client, Response, WireError
from systems.serving.policy import Pool

_JSON: Final = (("content-type", "application/json"),)


class Dispatcher:
    """Sends predictions to replicas. A prediction has no effect, so one whose fate is unknown may be asked elsewhere again."""

    MAX_TRIES: ClassVar[int] = 3
    """How often one request is sent at most."""

    TRY_TIMEOUT_S: ClassVar[float] = 0.25
    """How long one replica may take. What a frozen one costs; far above what a well one needs."""

    def __init__(self, pool: Pool, clients: Mapping[str, Client], log: Callable[[str], None]) -> None:
        self._pool = pool
        self._clients = clients
        self._log = log

    async def predict(self, body: bytes) -> Response:
        """A replica's answer, as it came; 503 where no replica gave one."""
        failures: dict[str, str] = {}
        for tries_before in range(self.MAX_TRIES):
            name = self._pool.choose(failures)
            if name is None:
                break
            try:
                response = await self.ask(name, body, tries_before=tries_before)
            except WireError as error:
                failures[name] = str(error)
            else:
                if response.status < 500:
                    self._pool.answered(name)
                    return Response(response.status, response.body, _JSON)
                failures[name] = f"answered {response.status}"
            if self._pool.failed(name, failures[name]):
                self._log(f"{name} is down: its requests fail, the last one so: {failures[name]}")
        reasons = "; ".join(f"{name}: {why}" for name, why in failures.items())
        return Response(503, f"no replica answered ({reasons or 'none is up'})".encode())

    async def ask(self, name: str, body: bytes, *, tries_before: int) -> Response:
        """Send the request to one replica. `tries_before`: how often it has failed already."""
        return await self._clients[name].request("POST", "/predict", body, timeout_s=self.TRY_TIMEOUT_S)
