"""The runner's client of the load generator."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from typing import Final

import msgspec

from harness.http.client import HttpClient
from harness.http.message import Response, TransportError
from harness.model.codec import describe
from harness.model.drill import Drill
from harness.model.errors import DrillError, HarnessError
from harness.model.system import Address, HasQuietTime, System
from workloads.load.generator import UNUSABLE, Begin, Progress, Task

_LEAD_S: Final = 0.2
"""The time between "begin" and the first call, so that every part has received "begin"."""

_REPLY_S: Final = 120.0
"""How long to wait for a reply, besides a call's timeout: the reply to "final" comes when all final calls are done."""

_CAUSE_S: Final = 1.0
"""If the generator does not answer, the cause may become known only a moment later: this is how long to wait for it."""


class GeneratorClient:
    """The load generator of one run."""

    def __init__(
        self, address: Address, lost: Callable[[], Awaitable[None]], now_ns: Callable[[], int] = time.monotonic_ns
    ) -> None:
        """`lost` raises a `HarnessError` once a process has ended that the run cannot do without.

        `now_ns` is the monotonic clock, the same as the generator's.
        """
        self._client = HttpClient(address)
        self._lost = lost
        self._now_ns = now_ns
        self._reply_s = _REPLY_S

    async def start(self, drill: Drill, seed: int) -> int:
        """Begin the load; returns when it begins, in nanoseconds of the monotonic clock."""
        self._reply_s = _REPLY_S + drill.load.timeout_ms / 1e3
        system, workload = describe(drill.system), describe(drill.workload)
        await self._post("/prepare", Task(system=system, workload=workload, load=drill.load, seed=seed))
        start_ns = self._now_ns() + round(_LEAD_S * 1e9)
        await self._post("/start", Begin(start_ns))
        return start_ns

    async def progress(self) -> Progress:
        return (await self._ask("GET", "/progress", b"")).decode(Progress)

    async def stop(self) -> None:
        """End the load now."""
        await self._post("/stop", None)

    async def finish(self, system: System, *, asking: bool) -> None:
        """Make the final calls after the system's quiet time, if `asking`; then write the log."""
        if asking:
            await asyncio.sleep(system.quiet_s if isinstance(system, HasQuietTime) else 0)
            await self._post("/final", None)
        await self._post("/save", None)
        self._client.close()

    async def _post(self, path: str, body: object) -> None:
        await self._ask("POST", path, msgspec.json.encode(body))

    async def _ask(self, method: str, path: str, body: bytes) -> Response:
        try:
            response = await self._client.request(method, path, body, timeout_s=self._reply_s)
        except TransportError as error:
            with contextlib.suppress(TimeoutError):  # if it has ended, or was ended, the cause says more
                await asyncio.wait_for(self._lost(), _CAUSE_S)
            raise HarnessError(f"The load generator did not answer {method} {path}: {error}.") from error
        if response.status != 200:
            reason = response.body.decode(errors="replace")
            if response.status == UNUSABLE:
                raise DrillError(f"The workload, or the system's client, cannot be used: {reason}.")
            raise HarnessError(f"The load generator refused {method} {path}: {reason}")
        return response
