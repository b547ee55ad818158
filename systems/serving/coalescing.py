"""Gathering: the runs that all connections brought in one turn of the event loop go on together, in groups.

A replica answers a large batch for little more than a small one, so what arrived together is sent to one replica together,
whether it came over one connection or over many. Nothing waits for more to come. A group has one deadline, so that none of it
waits for what may take longer.
"""

from __future__ import annotations

import asyncio
import sys
import traceback
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from harness.http.batched_server import RequestBatch
from harness.http.deadlines import Deadline
from harness.http.requests import Message

GROUP_MESSAGES: Final = 128
"""A group that holds so many is full. Twice as many in a batch would save a replica little, and make all wait for it."""

Forward = Callable[[Sequence[Message], Deadline | None], Awaitable[None]]
"""Sets the answer of every message by their deadline."""


class _Group:
    def __init__(self) -> None:
        self.runs: list[RequestBatch] = []
        self.messages: list[Message] = []


class Gatherer:
    """Forwards messages in groups, and finishes the runs that they came in."""

    def __init__(self, forward: Forward) -> None:
        self._forward = forward
        self._groups: dict[Deadline | None, _Group] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def add(self, run: RequestBatch, messages: Sequence[Message]) -> None:
        """Forward these messages of a run, and finish it when they are answered."""
        if not self._groups:
            asyncio.get_running_loop().call_soon(self._send)
        group = self._groups.get(run.deadline)
        if group is None:
            group = self._groups[run.deadline] = _Group()
        group.runs.append(run)
        group.messages.extend(messages)
        if len(group.messages) >= GROUP_MESSAGES:
            del self._groups[run.deadline]
            self._begin(group, run.deadline)

    def _send(self) -> None:
        groups, self._groups = self._groups, {}
        for deadline, group in groups.items():
            self._begin(group, deadline)

    def _begin(self, group: _Group, deadline: Deadline | None) -> None:
        runs = group.runs
        task = asyncio.get_running_loop().create_task(self._forwarded(group, deadline))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

        def given_up() -> None:
            if all(run.given_up for run in runs):
                task.cancel()

        for run in runs:
            run.on_given_up = given_up

    async def _forwarded(self, group: _Group, deadline: Deadline | None) -> None:
        try:
            await self._forward(group.messages, deadline)
        except Exception:  # one group's failure is its answer, and is in the node's log
            traceback.print_exc(file=sys.stderr)
        finally:
            for run in group.runs:
                run.finish()
