"""Coalescing: request batches that arrive in one turn of the event loop, over any connection, are forwarded together, in
groups.

For a replica, a large batch costs little more than a small one, so requests that arrive together are sent to one replica
together, whether they came over one connection or over many. A group has one deadline, so that no request in it waits for one
that may take longer.

At a low rate, a group does not wait for more requests. At a high rate, groups are spaced by a fraction of a millisecond, as
network cards space their interrupts: many requests then share the cost of a group, two wake-ups and three writes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Sequence
from typing import Final

from harness.http.batched_server import RequestBatch
from harness.http.deadlines import Deadline
from harness.http.logs import Log, log_exception, to_stderr
from harness.http.requests import Message
from harness.node.alarm import alarm

GROUP_MESSAGES: Final = 128
"""A group with this many is full. Twice as many would save a replica little, and make all of them wait longer."""

WORTH_WAITING: Final = 2
"""Groups wait if at least this many requests arrive, on average, in the time that they would wait."""

RATE_S: Final = 0.01
"""The rate is measured over intervals of at least this length."""

Forward = Callable[[Sequence[Message], Deadline | None], Awaitable[None]]
"""Sets the answer of every message before the deadline."""


class _Group:
    def __init__(self) -> None:
        self.batches: list[RequestBatch] = []
        self.messages: list[Message] = []


class _Rate:
    """The recent rate of forwarded messages."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._from_s = clock()
        self._count = 0
        self.per_s = 0.0

    def count(self, messages: int) -> None:
        self._count += messages
        took_s = self._clock() - self._from_s
        if took_s >= RATE_S:
            self.per_s = self._count / took_s
            self._from_s += took_s
            self._count = 0


class Gatherer:
    """Forwards messages in groups, and finishes their request batches.

    `gather_s`: at a high rate, groups that are not full are at least this far apart.
    """

    def __init__(self, forward: Forward, log: Log = to_stderr, gather_s: float = 0.0) -> None:
        self._forward = forward
        self._log = log
        self._loop = asyncio.get_running_loop()
        self._groups: dict[Deadline | None, _Group] = {}
        self._tasks: dict[asyncio.Task[None], _Group] = {}
        self._gather_s = gather_s
        self._rate = _Rate(self._loop.time)
        self._alarm = alarm(self._loop, self._send) if gather_s else None  # made now, while a descriptor is free
        self._to_be_sent = False
        """Whether `_send` is scheduled: soon, or when the alarm rings."""

    def add(self, batch: RequestBatch, messages: Sequence[Message]) -> None:
        """Forward these messages of a batch, and finish it when they are answered."""
        if not self._to_be_sent:
            self._to_be_sent = True
            self._loop.call_soon(self._send)
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
        """How many groups have not been answered yet."""
        return len(self._groups) + len(self._tasks)

    @property
    def for_nobody(self) -> list[Hashable]:
        """The groups under way whose clients have all gone, to look at."""
        return [task for task, group in self._tasks.items() if all(batch.given_up for batch in group.batches)]

    @staticmethod
    def has_no_use(batches: Sequence[RequestBatch]) -> bool:
        """Whether no client waits for a group any more, by the batches that are in it."""
        return all(batch.given_up for batch in batches)

    def close(self) -> None:
        """Close the alarm."""
        if self._alarm is not None:
            self._alarm.close()

    def _send(self) -> None:
        groups, self._groups = self._groups, {}
        for deadline, group in groups.items():
            self._begin(group, deadline)
        self._to_be_sent = bool(groups) and self._rate.per_s * self._gather_s >= WORTH_WAITING
        if self._to_be_sent and self._alarm is not None:
            self._alarm.ring_in(self._gather_s)

    def _begin(self, group: _Group, deadline: Deadline | None) -> None:
        if self.has_no_use(group.batches):  # given up while it waited to begin
            for batch in group.batches:
                batch.finish()
            return
        self._rate.count(len(group.messages))
        task = self._loop.create_task(self._forwarded(group, deadline))
        self._tasks[task] = group
        task.add_done_callback(self._tasks.pop)

        def given_up() -> None:
            if self.has_no_use(group.batches):
                task.cancel()

        for batch in group.batches:
            batch.on_given_up = given_up

    async def _forwarded(self, group: _Group, deadline: Deadline | None) -> None:
        try:
            await self._forward(group.messages, deadline)
        except Exception as error:  # `finish` answers the requests of a failed group
            log_exception(self._log, error)
        finally:
            for batch in group.batches:
                batch.finish()
