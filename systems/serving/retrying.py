"""Clients that do not wait: they give a call up and ask again, as most do, and so ask most of a system that can do least.

Work that a client gave up is still done. This is how a short overload feeds itself and outlasts its cause (Bronson et al.,
"Metastable Failures in Distributed Systems", HotOS 2021).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from harness.model.errors import UsageError
from harness.model.system import Address, Answer, Call, CallFailed, Client
from systems.serving import Serving


class RetryingClient:
    """Another client, asked up to `attempts` times, each attempt given up after `patience_s`. No pause between them.

    Only for calls without an effect: an attempt that was given up may be carried out later than the one that was answered.
    """

    def __init__(self, client: Client, *, attempts: int, patience_s: float) -> None:
        self._client = client
        self._most_attempts = attempts
        self.attempts = 1
        """How often the last call was asked."""
        self._patience_s = patience_s

    async def invoke(self, call: Call) -> Answer:
        """The first answer. Raises what the last attempt raised; `CallFailed` only if every attempt did."""
        errors: list[Exception] = []
        for attempt in range(1, self._most_attempts + 1):
            self.attempts = attempt
            try:
                async with asyncio.timeout(self._patience_s):
                    return await self._client.invoke(call)
            except Exception as error:  # whatever a client meets; tried again, then raised
                errors.append(error)
        raise next((error for error in reversed(errors) if not isinstance(error, CallFailed)), errors[-1])

    async def close(self) -> None:
        await self._client.close()


@dataclass(frozen=True, kw_only=True)
class RetriedServing(Serving):
    """Serving, asked by clients that give a request up after `patience_ms` and ask again, `attempts` times in all."""

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
