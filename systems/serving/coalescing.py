"""Gathering: the request batches that all connections brought in one turn of the event loop go on together, in groups.

A replica answers a large batch for little more than a small one, so requests that arrive together are sent to one replica
together, whether they came over one connection or over many. A group does not wait for more. It has one deadline, so that no
request in it waits for one that may take longer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from harness.http.batched_server import RequestBatch
from harness.http.deadlines import Deadline
from harness.http.logs import Log, log_exception, to_stderr
from harness.http.requests import Message

GROUP_MESSAGES: Final = 128
"""A group that holds so many is full. Twice as many would save a replica little, and make all of them wait for it."""

Forward = Callable[[Sequence[Message], Deadline | None], Awaitable[None]]
"""Sets the answer of every message by their deadline."""


class _Group:
    def __init__(self) -> None:
        self.batches: list[RequestBatch] = []
        self.messages: list[Message] = []


class Gatherer:
    """Forwards messages in groups, and finishes the request batches that they came in."""

    def __init__(self, forward: Forward, log: Log = to_stderr) -> None:
        self._forward = forward
        self._log = log
        self._groups: dict[Deadline | None, _Group] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def add(self, batch: RequestBatch, messages: Sequence[Message]) -> None:
        """Forward these messages of a batch, and finish it when they are answered."""
        if not self._groups:
            asyncio.get_running_loop().call_soon(self._send)
        group = self._groups.get(batch.deadline)
        if group is None:
            group = self._groups[batch.deadline] = _Group()
        group.batches.append(batch)
        group.messages.extend(messages)
        if len(group.messages) >= GROUP_MESSAGES:
            del self._groups[batch.deadline]
            self._begin(group, batch.deadline)

    @property
    def under_way(self) -> int:
        """Groups that have not been answered yet."""
        return len(self._groups) + len(self._tasks)

    def _send(self) -> None:
        groups, self._groups = self._groups, {}
        for deadline, group in groups.items():
            self._begin(group, deadline)

    def _begin(self, group: _Group, deadline: Deadline | None) -> None:
        batches = group.batches
        task = asyncio.get_running_loop().create_task(self._forwarded(group, deadline))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

        def given_up() -> None:
            if all(batch.given_up for batch in batches):
                task.cancel()

        for batch in batches:
            batch.on_given_up = given_up

    async def _forwarded(self, group: _Group, deadline: Deadline | None) -> None:
        try:
            await self._forward(group.messages, deadline)
        except Exception as error:  # a group's failure is the response to its requests
            log_exception(self._log, error)
        finally:
            for batch in group.batches:
                batch.finish()
