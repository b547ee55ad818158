"""The client of a training: each call waits for the next completed step."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final

from harness.http.client import HttpClient
from harness.http.message import TransportError
from harness.model.system import Address, Answer, Call, CallFailed
from systems.training.messages import STEP, Stepped

_TIMEOUT_S: Final = 60.0
_NEXT_S: Final = 0.2
"""A rank that completes no step for this long may be outside the group: the client asks another one as well."""


class StepClient:
    """Asks one rank for its next step, and the others as well if that takes long; the first answer counts.

    A call has no effect, so one that no rank answers has certainly failed.
    """

    def __init__(self, home: int, entries: Mapping[str, Address]) -> None:
        names = sorted(entries)
        self._clients = [HttpClient(entries[names[(home + offset) % len(names)]]) for offset in range(len(names))]

    async def invoke(self, call: Call) -> Answer:
        asking: set[asyncio.Task[Stepped | None]] = set()
        try:
            for client in self._clients:
                asking.add(asyncio.create_task(_next_step(client)))
                if (found := await _first(asking, _NEXT_S)) is not None:
                    return Answer(value=f"{found.step} {found.parameters}", node=found.node)
            while asking:
                if (found := await _first(asking, None)) is not None:
                    return Answer(value=f"{found.step} {found.parameters}", node=found.node)
        finally:
            for task in asking:
                task.cancel()
        raise CallFailed("no rank answers")

    async def close(self) -> None:
        for client in self._clients:
            client.close()


async def _next_step(client: HttpClient) -> Stepped | None:
    try:
        response = await client.request("GET", STEP, timeout_s=_TIMEOUT_S)
        return response.decode(Stepped) if response.status == 200 else None
    except TransportError:
        return None


async def _first(asking: set[asyncio.Task[Stepped | None]], timeout_s: float | None) -> Stepped | None:
    """The first valid answer; others are removed from the set. None if there is none yet, or never will be."""
    loop = asyncio.get_running_loop()
    until_s = None if timeout_s is None else loop.time() + timeout_s
    while asking:
        left_s = None if until_s is None else max(0.0, until_s - loop.time())
        done, _ = await asyncio.wait(asking, timeout=left_s, return_when=asyncio.FIRST_COMPLETED)
        if not done:
            return None
        asking -= done
        for task in done:
            if (found := task.result()) is not None:
                return found
    return None
