"""The quorum protocol over a simulated network, without clocks or I/O: one seed is one schedule.

Messages are delayed, reordered, lost and delivered twice; nodes die, lose what was not on their disks, and come back.
Clients call any node, one call at a time, on a few keys, and all that they saw becomes rows of a history.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from functools import partial
from itertools import count
from random import Random

import msgspec

from systems.parts.outcomes import Failed
from systems.quorum.bugs import Rules
from systems.quorum.comparing import comparing
from systems.quorum.messages import Entry, Query, ReplicaRequest
from systems.quorum.placement import Placement
from systems.quorum.protocol import Coordinator, Done, Operation, Phase, Versions
from systems.quorum.replica import Held, Replica

PHASE_TIMEOUT = 60.0
ASK_AGAIN = 20.0
"""In the simulation's own unit of time; a message takes about 1, or up to 50 on a slow link."""

Row = dict[str, object]


class SimulatedNode:
    """A replica with a disk whose syncs take time, and a coordinator; dead nodes answer nothing."""

    def __init__(self, world: World, name: str) -> None:
        self.world = world
        self.name = name
        self.disk: list[Held] = []
        self.starts = 0
        self.start()

    def start(self) -> None:
        world, rules = self.world, self.world.rules
        self.starts += 1
        self.alive = True
        self.replica = Replica(rules)
        for held in self.disk:
            self.replica.logged(held)
        error = world.random.uniform(-50, 50)
        self.coordinator = Coordinator(
            placement=Placement(self.name, world.names, len(world.names)), read=world.read, write=world.write, rules=rules,
            versions=Versions(self.name, self.starts, rules=rules, clock_us=lambda: round(1000 * (world.now + error + 50))),
        )  # fmt: skip

    def die(self) -> None:
        self.alive = False

    def receive(self, request: ReplicaRequest, reply: Callable[[Entry], None]) -> None:
        """What `storage.Storage.answer` does, with a disk that is written later."""
        if isinstance(request, Query):
            return reply(self.replica.entry(request.key))
        start = self.starts

        def written() -> None:
            """One request after another: what the disk has taken meanwhile counts."""
            if not self.alive or self.starts != start:
                return
            changed = self.replica.after(request, self.replica.entry(request.key))
            if changed is not None:
                self.disk.append(changed)
                self.replica.logged(changed)
            reply(self.replica.entry(request.key))

        rules = self.world.rules
        if not rules.logged_before_answer:
            changed = self.replica.after(request, self.replica.entry(request.key))
            if changed is not None:
                self.replica.logged(changed)
        if self.replica.after(request, self.replica.entry(request.key)) is None:
            return reply(self.replica.entry(request.key))
        return self.world.after(self.world.random.uniform(0, 2), written)


class World:
    """All nodes, clients and messages of one schedule."""

    def __init__(
        self,
        seed: int,
        rules: Rules,
        *,
        replicas: int = 3,
        read: int = 2,
        write: int = 2,
        calls: int = 60,
        compare_and_sets: float = 0.0,
        deletes: float = 0.0,
        rivals: int = 1,
    ) -> None:
        """`rivals` compare-and-sets in a row expect the same value, as in `workloads.registers`."""
        self.random = Random(seed)
        self._compare_and_sets, self._deletes = compare_and_sets, deletes
        self._left: dict[str, str | None] = {}
        """What the last call that changed a key would leave there; of rivals, the first."""
        self._rivals: dict[str, list[str | None]] = {}
        """What the next rivals expect."""
        self._rivals_each = rivals
        self.rules = rules
        self.read, self.write = read, write
        self.names = [f"n{number}" for number in range(1, replicas + 1)]
        self.now = 0.0
        self.rows: list[Row] = []
        self._queue: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()
        self._calls_left = calls
        self._last_tick = 0
        self._values = count(1)
        self._seed = seed
        self._keys = self.random.randint(1, 3)
        self._loss = self.random.choice([0, 0, 0.05, 0.2])
        self._slow = {(a, b) for a in self.names for b in self.names if a != b and self.random.random() < 0.2}
        self.nodes = {name: SimulatedNode(self, name) for name in self.names}

    def run(self) -> list[Row]:
        for client in range(self.random.randint(2, 5)):
            self.after(self.random.uniform(0, 5), partial(self._call, client))
        if self.random.random() < 0.6:
            self.after(self.random.uniform(5, 200), self._crash)
        while self._queue:
            self.now, _, act = heapq.heappop(self._queue)
            act()
        return self.rows

    def after(self, delay: float, act: Callable[[], None]) -> None:
        heapq.heappush(self._queue, (self.now + delay, next(self._order), act))

    def _crash(self) -> None:
        victims = [node for node in self.nodes.values() if self.random.random() < 0.6]
        for node in victims:
            node.die()
            self.after(self.random.uniform(1, 80), node.start)
        if self._calls_left:
            self.after(self.random.uniform(100, 300), self._crash)

    def _delays(self, source: str, target: str) -> Iterator[float]:
        """The delays of a message: none if it is lost, two if it is delivered twice."""
        if source == target:
            yield 0
            return
        for _ in range(2 if self.random.random() < 0.05 else 1):
            if self.random.random() >= self._loss:
                yield self.random.uniform(10, 50) if (source, target) in self._slow else self.random.expovariate(1)

    def _call(self, client: int) -> None:
        if self._calls_left <= 0:
            return
        self._calls_left -= 1
        key = f"k{self.random.randrange(self._keys)}"
        node = self.nodes[self.random.choice(self.names)]
        row: Row = {
            "client": client, "key": f"{self._seed}/{key}", "sent_ns": self._tick(), "outcome": "unknown", "error": None,
        }  # fmt: skip
        drawn, coordinator = self.random.random(), node.coordinator
        operation: Operation
        if drawn < self._compare_and_sets:
            new, left = str(next(self._values)), self._left.get(key)
            if not (expecting := self._rivals.setdefault(key, [])):
                expecting += [left] * self._rivals_each
                self._left[key] = new
            expected = expecting.pop()
            row |= {"kind": "cas", "value": msgspec.json.encode([expected, new]).decode()}
            operation = comparing(coordinator, key, expected, new)
        elif drawn < self._compare_and_sets + self._deletes:
            row |= {"kind": "delete", "value": None}
            operation, self._left[key] = coordinator.writing(key, None), None
        elif self.random.random() < 0.5:
            value = str(next(self._values))
            row |= {"kind": "write", "value": value}
            operation, self._left[key] = coordinator.writing(key, value), value
        else:
            row |= {"kind": "read", "value": None}
            operation = coordinator.reading(key)
        if not node.alive:
            self._over(row, Failed("connection refused"))
            return
        self._drive(node, operation, lambda: self._over(row, operation.outcome))

    def _over(self, row: Row, outcome: object) -> None:
        """The end of a call; a call whose coordinator died ends here without an outcome."""
        match outcome:
            case Done(value, swapped):
                row |= {"outcome": "ok", "value": value if row["kind"] == "read" else row["value"]}
                if not swapped:
                    asked = msgspec.json.decode(str(row["value"]), type=list[str | None])
                    row["value"] = msgspec.json.encode([*asked, False, value]).decode()
            case Failed():
                row["outcome"] = "failed"
        row["done_ns"] = self._tick()
        self.rows.append(row)
        client = row["client"]
        assert isinstance(client, int)
        self.after(self.random.expovariate(0.3), lambda: self._call(client))

    def _drive(self, node: SimulatedNode, operation: Operation, over: Callable[[], None]) -> None:
        """What `node.Server._carry_out` does."""
        start, ended = node.starts, False

        def end() -> None:
            nonlocal ended
            if not ended:
                ended = True
                over()

        def runs() -> bool:
            return node.alive and node.starts == start

        def ask_all(phase: Phase) -> None:
            if runs() and operation.phase is phase and operation.outcome is None:
                for replica in phase.unanswered():
                    self._ask(node.name, replica, phase.request, partial(answered, phase, replica))

        def answered(phase: Phase, replica: str, held: Entry) -> None:
            if runs() and not ended:
                operation.answered(phase, replica, held)
                go_on(phase)

        def timed_out(phase: Phase) -> None:
            if not runs():
                return end()
            operation.timed_out(phase)
            return go_on(phase)

        def go_on(phase: Phase) -> None:
            if operation.outcome is not None:
                end()
            elif operation.phase is not phase:
                begin()

        def begin() -> None:
            phase = operation.phase
            self.after(self.random.uniform(0, 5.0 * phase.pause), lambda: ask_all(phase))
            self.after(ASK_AGAIN, lambda: ask_all(phase))
            self.after(PHASE_TIMEOUT, lambda: timed_out(phase))

        begin()

    def _ask(self, source: str, target: str, request: ReplicaRequest, reply: Callable[[Entry], None]) -> None:
        def reply_over_network(held: Entry) -> None:
            for delay in self._delays(target, source):
                self.after(delay, lambda: reply(held))

        def arrive() -> None:
            if self.nodes[target].alive:
                self.nodes[target].receive(request, reply_over_network)

        for delay in self._delays(source, target):
            self.after(delay, arrive)

    def _tick(self) -> int:
        """A unique time, so that later events in the simulation are later in the history."""
        self._last_tick = max(self._last_tick + 1, round(self.now * 1e6))
        return self._last_tick
