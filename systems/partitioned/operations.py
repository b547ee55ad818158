"""Carries operations out at the owners of their partitions: whom to ask when, what a newer map changes, and when to give up."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Final

from harness.node.context import NodeContext
from systems.partitioned.bugs import Rules
from systems.partitioned.messages import REPLICA_PATH, Entry, Refusal
from systems.partitioned.partition_map import PartitionMap
from systems.partitioned.peer import Peer
from systems.partitioned.protocol import Operation, Phase
from systems.partitioned.replica import Replica

OPERATION_S: Final = 0.6
"""How long an operation tries to get its majorities. It ends before a client gives up."""
ASK_AGAIN_S: Final = 0.12
"""After this long without an answer, a node is asked a second time."""
ANSWER_S: Final = 0.3
"""How long to wait for another node's answer while a client waits."""
DRAIN_S: Final = 0.15
"""How long a node that loses a partition to another lets operations of that partition finish."""

Agree = Callable[[str, Refusal], Awaitable[None]]
"""Brings this node, and one that refused its request, to the same map."""


class Operations:
    """All operations that a node has under way for clients."""

    def __init__(self, node: NodeContext, peers: Mapping[str, Peer], replica: Replica, agree: Agree, rules: Rules) -> None:
        self._name = node.name
        self._clock = node.clock
        self._peers = peers
        self._replica = replica
        self._agree = agree
        self._rules = rules
        self._running: dict[Operation, asyncio.Event] = {}
        self._asking: set[asyncio.Future[None]] = set()
        self.writes = 0
        """How many writes it has begun to carry out."""
        self.draining = 0
        """How many calls of `drained` have not returned."""

    @property
    def under_way(self) -> int:
        return len(self._running)

    @property
    def running(self) -> Iterable[Operation]:
        return self._running

    @property
    def questions(self) -> int:
        """The number of unanswered requests to other nodes; an operation may end before they answer."""
        return len(self._asking)

    async def carry_out(self, operation: Operation) -> None:
        """Return when there is an outcome. Requests that were sent are not cancelled: nodes may still store what they carry."""
        changed = self._running[operation] = asyncio.Event()
        self.writes += operation.writes
        clock, loop = self._clock, asyncio.get_running_loop()
        until_s = clock() + OPERATION_S
        try:
            while not operation.over():
                changed.clear()
                if clock() >= until_s:
                    operation.gave_up()
                    break
                phase = operation.phase
                names = phase.unanswered()
                for name in names:
                    if name != self._name:
                        self._start_task(self._ask(operation, phase, name, changed))
                if self._name in names:  # usually that is all there is to do
                    await self._ask(operation, phase, self._name, changed)
                if not operation.over() and operation.phase is phase and not changed.is_set():
                    waking = loop.call_later(max(0.0, min(ASK_AGAIN_S, until_s - clock())), changed.set)
                    await changed.wait()
                    waking.cancel()
        finally:
            del self._running[operation]

    def go_by(self, newer: PartitionMap) -> None:
        """Continue each operation under a newer map, or give it up if it belongs to another node there."""
        if not self._rules.epochs_checked:
            return
        for operation, changed in list(self._running.items()):
            partition = newer.partition_at(operation.place)
            if self._name not in self._rules.leaders(partition):
                operation.gave_up(f"it is {partition.owners[0]}'s now")
                changed.set()
            elif partition.epoch != operation.epoch:
                operation.moved(partition)
                changed.set()

    async def drained(self, coming: PartitionMap) -> None:
        """Return when no operation is under way on partitions of other nodes in the coming map, or after `DRAIN_S`."""
        until_s = self._clock() + DRAIN_S
        self.draining += 1
        try:
            while self._clock() < until_s and not self._done_with(coming):
                await asyncio.sleep(0.002)
        finally:
            self.draining -= 1

    def _done_with(self, coming: PartitionMap) -> bool:
        return all(coming.partition_at(one.place).owners[0] == self._name for one in self._running)

    async def _ask(self, operation: Operation, phase: Phase, name: str, changed: asyncio.Event) -> None:
        if name == self._name:
            told: Entry | Refusal | None = await self._replica.answer(phase.request)
        else:
            told = await self._peers[name].ask(REPLICA_PATH, phase.request, Entry, ANSWER_S)
        if isinstance(told, Entry):
            operation.answered(phase, name, told)
        elif isinstance(told, Refusal):
            await self._agree(name, told)
            changed.set()
        if operation.phase is not phase or operation.over():
            changed.set()

    def _start_task(self, asking: Awaitable[None]) -> None:
        task = asyncio.ensure_future(asking)
        self._asking.add(task)  # the loop itself holds tasks weakly
        task.add_done_callback(self._asking.discard)
