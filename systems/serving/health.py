"""The health checker: checks every replica periodically and reports to the pool."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from random import Random
from typing import Final

from harness.http.client import HttpClient
from harness.http.message import TransportError
from systems.serving.policy import Pool

INTERVAL_S: Final = 0.1
"""The pause between two checks of one replica."""

CHECK_TIMEOUT_S: Final = 0.5
"""A replica that takes longer to answer a check fails it. Requests notice sooner; only checks can take the last replica down,
which should not happen hastily."""


class HealthChecker:
    """Checks each replica independently, so that one that hangs does not delay the checks of others."""

    def __init__(self, pool: Pool, clients: Mapping[str, HttpClient], log: Callable[[str], None], random: Random) -> None:
        self._pool = pool
        self._clients = clients
        self._log = log
        self._random = random
        self._clock = asyncio.get_running_loop().time
        self.passed: Counter[str] = Counter()
        """Good checks of each replica so far …"""
        self.failed: Counter[str] = Counter()
        """… and others."""
        self._up_once = {name: asyncio.Event() for name in clients}

    async def run(self) -> None:
        """Check forever. An error that is not a replica's failure ends this, and must end the balancer."""
        async with asyncio.TaskGroup() as watches:
            for name in self._clients:
                watches.create_task(self._watch(name))

    async def all_up_once(self) -> None:
        """Return when every replica has passed a check and is up."""
        for event in self._up_once.values():
            await event.wait()

    async def check(self, name: str) -> str | None:
        """Why a replica is not healthy; None if it is."""
        try:
            response = await self._clients[name].request("GET", "/healthz", timeout_s=CHECK_TIMEOUT_S)
        except TransportError as error:
            return str(error)
        return None if response.status == 200 else f"{response.status} {response.body.decode(errors='replace')}"

    async def _watch(self, name: str) -> None:
        await asyncio.sleep(self._random.uniform(0, INTERVAL_S))  # not all replicas at the same moment
        while True:
            why = await self.check(name)
            (self.passed if why is None else self.failed)[name] += 1
            if why is None:
                if self._pool.check_passed(name, self._clock()):
                    self._log(f"{name} is up again")
                if self._pool.is_up(name):
                    self._up_once[name].set()
            elif self._pool.check_failed(name, why, self._clock()):
                self._log(f"{name} is down: its health checks fail, the last one so: {why}")
            await asyncio.sleep(INTERVAL_S)
