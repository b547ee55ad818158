"""Impatient clients: they time out and ask again, as most do, and so put the most load on a system when it can take the least.

The system still does the work that clients gave up. So a short overload feeds itself and outlasts its cause (Bronson et al.,
"Metastable Failures in Distributed Systems", HotOS 2021).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from harness.model.errors import UsageError
from harness.model.system import Address, Answer, Call, CallFailed, Client, HasUnderWay
from systems.serving import Serving


class RetryingClient:
    """Wraps a client and tries each call up to `attempts` times, each with a timeout of `patience_s`, without a pause.

    Only for calls without side effects: an attempt that timed out may be carried out after the one that was answered.
    """

    def __init__(self, client: Client, *, attempts: int, patience_s: float) -> None:
        self._client = client
        self._most_attempts = attempts
        self.attempts = 1
        """How many attempts the last call took."""
        self._patience_s = patience_s

    async def invoke(self, call: Call) -> Answer:
        """The first answer. Raises the last error that is not `CallFailed`; `CallFailed` only if every attempt raised it."""
        errors: list[Exception] = []
        for attempt in range(1, self._most_attempts + 1):
            self.attempts = attempt
            try:
                async with asyncio.timeout(self._patience_s):
                    return await self._client.invoke(call)
            except Exception as error:  # any error of a client is retried, then raised
                errors.append(error)
        raise next((error for error in reversed(errors) if not isinstance(error, CallFailed)), errors[-1])

    @property
    def under_way(self) -> int:
        """How many requests of the client have no answer yet and are not given up."""
        return self._client.under_way if isinstance(self._client, HasUnderWay) else 0

    async def close(self) -> None:
        await self._client.close()


@dataclass(frozen=True, kw_only=True)
class RetriedServing(Serving):
    """Serving with clients that time out after `patience_ms` and ask again, up to `attempts` times in all."""

    attempts: int = 3
    patience_ms: float = 100.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.attempts < 1 or not 0 < self.patience_ms < float("inf"):
            raise UsageError(
                f"RetriedServing(attempts={self.attempts}, patience_ms={self.patience_ms:g}): needs at least one attempt, and a"
                " patience above 0."
            )

    def client(self, index: int, entries: Mapping[str, Address]) -> Client:
        return RetryingClient(super().client(index, entries), attempts=self.attempts, patience_s=self.patience_ms / 1e3)
