"""What replicas of the eventual store make of each other's states, and when they ask."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from random import Random

import pytest

from harness.cluster.ports import HOST
from harness.http.message import Request, Response
from harness.http.server import listen
from harness.node.context import NodeContext, NodeSpec
from systems.eventual import peer as peer_module
from systems.eventual.anti_entropy import AntiEntropy
from systems.eventual.coordinator import Coordinator
from systems.eventual.files import Files
from systems.eventual.graves import Graves
from systems.eventual.messages import Context, Got, NotDone, State, Store, Stored
from systems.eventual.node import Config, Server
from systems.eventual.outbox import Outbox
from systems.eventual.peer import Peer
from systems.eventual.replica import Replica
from systems.eventual.replication import Replicator
from systems.eventual.resolution import KeepSiblings
from systems.eventual.storage import Arrival, Storage, Write
from systems.parts.merkle import Range
from systems.parts.sealing import answered
from tests.helpers.eventual_requests import node, put

GRACE_S = 1


class FailingFiles(Files):
    failing = False

    def sync(self, name: str) -> None:
        if self.failing:
            raise OSError("the disk is broken")
        super().sync(name)


class Local:
    """A replica without a server."""

    def __init__(self, tmp_path: Path, name: str) -> None:
        self.context = NodeContext(
            NodeSpec(name=name, start=0, host="127.0.0.1", port=1, data=str(tmp_path / name), log="", seed=1)
        )
        self.replica = Replica(KeepSiblings(name), Graves(["other"], grace_s=GRACE_S))
        self.files = FailingFiles(self.context.disk, print, compact_at_bytes=1 << 20)
        self.files.load(existed=False)
        self.files.write_anew({}, [])
        self.storage = Storage(self.replica, Outbox([], most=9, keep_s=9), self.files, clock=lambda: 0.0, log=print)

    async def write(self, key: str, value: str | None) -> Context:
        seen = self.replica.resolution.context(self.replica.state(key))
        await self.storage.change([Write(key, value, seen)])
        return self.replica.resolution.context(self.replica.state(key))

    def state(self, key: str) -> State:
        state = self.replica.state(key)
        assert state is not None
        return state

    def values(self, key: str) -> list[str]:
        return self.replica.resolution.values(self.replica.state(key))


class PeerOf(Peer):
    """A peer in this process; it does not answer while it is `away`."""

    def __init__(self, local: Local) -> None:
        super().__init__("c", local.context.name, ("127.0.0.1", 1))
        self.local = local
        self.away = False
        self.asked = 0
        self.freezes: Callable[[], None] = lambda: None
        """Called when it has answered a question, before the answer is read."""

    async def store(
        self, keys: Sequence[str], held: Callable[[str], State | None], *, fresh: bool
    ) -> list[tuple[str, State]] | None:
        if self.away:
            return None
        states = [(key, state) for key in keys if (state := held(key)) is not None]
        outcome, _ = await self.local.storage.change([Arrival(key, state, fresh) for key, state in states])
        return states if outcome == "done" else None

    async def states(self, keys: Sequence[str]) -> list[State | None] | None:
        self.asked += 1
        answer = None if self.away else [self.local.replica.state(key) for key in keys]
        self.freezes()
        return answer

    async def ranges(self, prefixes: Sequence[str]) -> list[Range] | None:
        return None if self.away else [self.local.replica.tree.range(prefix) for prefix in prefixes]


class Pair:
    """Two replicas, the first with a coordinator."""

    def __init__(self, tmp_path: Path) -> None:
        self.here, self.there = Local(tmp_path, "n1"), Local(tmp_path, "n2")
        self.peer = PeerOf(self.there)
        self.now_s = 0.0
        replica, storage, peers = self.here.replica, self.here.storage, [self.peer]
        self.coordinator = Coordinator(replica, storage, peers, Random(1), lambda: self.now_s, repaired_reads=0)
        self.anti_entropy = AntiEntropy(replica, storage, lambda: self.now_s, keys_per_s=1e9)


def pair(tmp_path: Path, scenario: Callable[[Pair], Awaitable[None]]) -> None:
    async def run() -> None:
        await scenario(Pair(tmp_path))

    asyncio.run(run())


def test_a_session_is_answered_with_what_it_has_seen_or_not_at_all(tmp_path: Path) -> None:
    async def scenario(two: Pair) -> None:
        seen = await two.there.write("k", "1")
        two.peer.away = True
        assert isinstance(await two.coordinator.read("k", seen), NotDone)
        without = await two.coordinator.read("k", Context())
        assert isinstance(without, Got)
        assert without.values == []
        two.peer.away = False
        found = await two.coordinator.read("k", seen)
        assert isinstance(found, Got)
        assert found.values == ["1"]
        assert two.here.values("k") == ["1"]
        asked = two.peer.asked
        await two.coordinator.read("k", seen)
        assert two.peer.asked == asked

    pair(tmp_path, scenario)


def test_a_session_is_answered_right_also_if_the_disk_does_not_take_what_was_learned(tmp_path: Path) -> None:
    async def scenario(two: Pair) -> None:
        seen = await two.there.write("k", "1")
        two.here.files.failing = True
        found = await two.coordinator.read("k", seen)
        assert isinstance(found, Got)
        assert found.values == ["1"]
        assert two.here.values("k") == []

    pair(tmp_path, scenario)


def test_a_session_that_has_seen_a_delete_goes_on_when_the_tombstone_is_forgotten_everywhere(tmp_path: Path) -> None:
    async def scenario(two: Pair) -> None:
        await two.there.write("k", "1")
        seen = await two.there.write("k", None)
        two.there.replica.put("k", None, 0)
        two.peer.away = True
        assert isinstance(await two.coordinator.read("k", seen), NotDone)
        two.peer.away = False
        found = await two.coordinator.read("k", seen)
        assert isinstance(found, Got)
        assert found.values == []

    pair(tmp_path, scenario)


def test_read_repair_brings_all_replicas_up_to_date(tmp_path: Path) -> None:
    async def scenario(two: Pair) -> None:
        await two.here.write("k", "1")
        await two.there.write("k", "2")
        await two.coordinator.repair("k")
        assert two.here.values("k") == two.there.values("k") == ["1", "2"]

    pair(tmp_path, scenario)


def test_however_thin_a_link_is_many_states_get_over_it_in_both_directions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peer_module, "ANSWER_S", 0.1)
    keys = [f"k{number}" for number in range(64)]

    async def scenario() -> None:
        context = node(tmp_path, resolve="siblings")
        here, there = Local(tmp_path, "n2"), Server(context, context.config(Config))
        outbox = Outbox(["n1"], most=100, keep_s=60)
        over = asyncio.Event()

        async def over_a_thin_link(request: Request) -> Response:
            answer = await there.handle(request)
            if len(request.body) + len(answer.body) > 20_000:
                await over.wait()
            return answer

        server = await listen(over_a_thin_link, (HOST, 0))
        peer = Peer("eventual", "n1", (HOST, server.sockets[0].getsockname()[1]))
        for key in keys[:32]:
            await here.write(key, 1000 * "x")
            outbox.leave(key, here.state(key), 0)
        telling = asyncio.create_task(Replicator(here.replica, outbox, lambda: 0.0).tell(peer))
        try:
            while any(there.replica.state(key) is None for key in keys[:32]):
                await asyncio.sleep(0)
            for key in keys[32:]:
                await there.handle(put(1000 * "y", key=key))
            anti_entropy = AntiEntropy(here.replica, here.storage, lambda: 0.0, keys_per_s=1e9)
            while not await anti_entropy.agree_with(peer):
                pass
            assert [here.values(key) for key in keys[32:]] == [[1000 * "y"]] * 32
        finally:
            telling.cancel()
            over.set()
            server.close()

    asyncio.run(scenario())


@pytest.mark.parametrize("frozen_s", [0.3, GRACE_S])
def test_what_is_read_of_an_answer_after_a_grace_period_is_not_taken(tmp_path: Path, frozen_s: float) -> None:
    """It may have been deleted since, and this node, which did not hold the key, have been told for the last time."""

    async def scenario(two: Pair) -> None:
        def freeze() -> None:
            two.now_s += frozen_s

        seen = {key: await two.there.write(key, "1") for key in ("compared", "repaired", "asked for")}
        two.peer.freezes = freeze
        agreed = await two.anti_entropy.repair(two.peer, ["compared"])
        await two.coordinator.repair("repaired")
        found = await two.coordinator.read("asked for", seen["asked for"])
        assert isinstance(found, Got)
        assert found.values == ["1"]
        in_time = frozen_s < GRACE_S
        assert agreed == bool(two.coordinator.attempts.agreed) == in_time
        assert [two.here.values(key) for key in seen] == [["1"] if in_time else []] * 3

    pair(tmp_path, scenario)


def test_what_is_sent_again_because_it_came_too_late_is_what_is_held_by_then() -> None:
    """The value that was sent first may have been deleted long ago, if this node was frozen before it read the answer."""

    async def scenario() -> None:
        node = KeepSiblings("n1")
        value = node.written(None, "old", Context())
        held, sent = {"k": value, "gone": value}, []

        async def store(request: Request) -> Response:
            sent.append(request.decode(Store))
            held["k"] = node.written(value, None, node.context(value))
            held.pop("gone", None)
            return Response.json(Stored(done=len(sent) > 1, window=7))

        server = await listen(lambda request: answered(request, store), (HOST, 0))
        peer = Peer("c", "n2", (HOST, server.sockets[0].getsockname()[1]))
        try:
            stored = await peer.store(["k", "gone"], held.get, fresh=True)
        finally:
            server.close()
        assert stored == [("k", held["k"])]
        assert [(message.window, [each.state for each in message.held]) for message in sent] == [
            (0, [value, value]),
            (7, [held["k"]]),
        ]

    asyncio.run(scenario())


def test_anti_entropy_makes_both_hold_the_same_tombstones_included(tmp_path: Path) -> None:
    async def scenario(two: Pair) -> None:
        for number in range(100):
            await (two.here if number % 2 else two.there).write(f"k{number}", str(number))
        assert await two.anti_entropy.agree_with(two.peer)
        assert two.here.replica.tree.digest == two.there.replica.tree.digest
        await two.here.write("k7", None)
        await two.there.write("k8", None)
        assert await two.anti_entropy.agree_with(two.peer)
        assert two.here.values("k8") == two.there.values("k7") == []
        assert two.here.replica.tree.digest == two.there.replica.tree.digest
        assert two.here.replica.graves.untold("n2", 0) == []  # so it can be forgotten
        two.peer.away = True
        await two.here.write("k9", "new")
        assert not await two.anti_entropy.agree_with(two.peer)

    pair(tmp_path, scenario)
