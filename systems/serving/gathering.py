"""Gathering: the runs that all connections brought in one turn of the event loop go on together, in groups.

A replica answers a large batch for little more than a small one, so what arrived together is sent to one replica together,
whether it came over one connection or over many. Nothing waits for more to come.
"""

from __future__ import annotations

import asyncio
import sys
import traceback
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from harness.pipelining import Message, Run

GROUP_MESSAGES: Final = 128
"""A group that holds so many is full. Twice as many in a batch would save a replica little, and make all wait for it."""

Forward = Callable[[Sequence[Message]], Awaitable[None]]
"""Sets the answer of every message."""


class Gatherer:
    """Forwards messages in groups, and finishes the runs that they came in."""

    def __init__(self, forward: Forward) -> None:
        self._forward = forward
        self._runs: list[Run] = []
        self._messages: list[Message] = []
        self._tasks: set[asyncio.Task[None]] = set()

    def add(self, run: Run, messages: Sequence[Message]) -> None:
        """Forward these messages of a run, and finish it when they are answered."""
        if not self._runs:
            asyncio.get_running_loop().call_soon(self._send)
        self._runs.append(run)
        self._messages.extend(messages)
        if len(self._messages) >= GROUP_MESSAGES:
            self._group()

    def _send(self) -> None:
        if self._runs:
            self._group()

    def _group(self) -> None:
        runs, self._runs = self._runs, []
        messages, self._messages = self._messages, []
        task = asyncio.get_running_loop().create_task(self._forwarded(runs, messages))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

        def given_up() -> None:
            if all(run.given_up for run in runs):
                task.cancel()

        for run in runs:
            run.on_given_up = given_up

    async def _forwarded(self, runs: Sequence[Run], messages: Sequence[Message]) -> None:
        try:
            await self._forward(messages)
        except Exception:  # one group's failure is its answer, and is in the node's log
            traceback.print_exc(file=sys.stderr)
        finally:
            for run in runs:
                run.finish()
