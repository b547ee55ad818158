"""Nodes of the Raft store on real connections, inside this process: their answers and refusals."""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from random import Random

import msgspec
import pytest

from harness.cluster.ports import HOST, reserved
from harness.http.client import HttpClient
from harness.http.message import Response, TransportError
from harness.model.system import Address, Call
from harness.node.context import NodeContext, NodeSpec
from harness.node.disk import Disk
from systems.raft import Raft
from systems.raft import node as raft_node
from systems.raft.administration import change_member, hand_over, leader
from systems.raft.client import RaftClient
from systems.raft.core.core import Core
from systems.raft.core.messages import Entry, Members, Vows
from systems.raft.messages import MAX_VALUE_BYTES, Status
from systems.raft.storage import Storage
from systems.raft.store import Answer, KeyValues


def in_a_loop(test: Callable[..., Coroutine[None, None, None]]) -> Callable[..., None]:
    """A test that is a coroutine."""

    @functools.wraps(test)
    def run(*arguments: object, **named: object) -> None:
        asyncio.run(test(*arguments, **named))

    return run


class Nodes:
    """The nodes of one group, each with its own folder."""

    def __init__(self, folder: Path, system: Raft, ports: list[int]) -> None:
        self._folder = folder
        self._nodes = {node.name: node for node in system.nodes()}
        self.addresses: dict[str, Address] = {name: (HOST, port) for name, port in zip(self._nodes, ports, strict=True)}
        self.clients = {name: HttpClient(address) for name, address in self.addresses.items()}
        self.running: dict[str, asyncio.Task[None]] = {}

    def spec(self, name: str) -> NodeSpec:
        node = self._nodes[name]
        return NodeSpec(
            name=name, start=0, host=HOST, port=self.addresses[name][1], data=str(self._folder / name), log="", seed=1,
            peers={peer: self.addresses[peer] for peer in node.peers}, config=dict(node.config),
        )  # fmt: skip

    def start(self, *names: str) -> None:
        for name in names or tuple(self._nodes):
            self.running[name] = asyncio.create_task(raft_node.main(NodeContext(self.spec(name))))

    def found(self, name: str, *entries: Entry) -> None:
        """Leave what a node has on its disk when it was started once, and these entries in its log."""
        config = msgspec.convert(self._nodes[name].config, raft_node.Config)
        storage = Storage(Disk(self._folder / name), cluster=config.cluster, node=name)
        saved = storage.load()
        if entries:
            saved = replace(saved, entries=entries, vows=Vows(entries[-1].term))
        core = Core(name, Members(config.members), random=Random(1), saved=saved)
        storage.write_anew(core)

    async def stop(self, name: str) -> None:
        task = self.running.pop(name)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    async def ask(self, name: str, method: str, path: str, body: object = None) -> tuple[int, object]:
        data = b"" if body is None else msgspec.json.encode(body)
        response = await self.clients[name].request(method, path, data, timeout_s=20)
        return response.status, _content(response)

    async def status(self, name: str) -> Status:
        while True:
            with contextlib.suppress(TransportError):
                return (await self.clients[name].request("GET", "/raft", timeout_s=20)).decode(Status)
            await asyncio.sleep(0.01)

    async def until_led(self) -> str:
        async with asyncio.timeout(20):
            return await leader(self.addresses)

    async def until_caught_up(self, name: str) -> None:
        async with asyncio.timeout(20):
            to = (await self.status(await self.until_led())).commit
            while (await self.status(name)).applied < to:
                await asyncio.sleep(0.01)


def _content(response: Response) -> object:
    try:
        return response.decode(object)
    except msgspec.MsgspecError:
        return response.body.decode()


@asynccontextmanager
async def nodes(folder: Path, system: Raft | None = None) -> AsyncIterator[Nodes]:
    system = system or Raft(election_ms=150, heartbeat_ms=20)
    with reserved(len(system.nodes())) as ports:
        group = Nodes(folder, system, list(ports))
        try:
            yield group
        finally:
            for name in list(group.running):
                await group.stop(name)
            for client in group.clients.values():
                client.close()


@in_a_loop
async def test_the_leader_carries_out_what_is_asked_and_the_others_name_it(tmp_path: Path) -> None:
    async with nodes(tmp_path) as group:
        group.start()
        leads = await group.until_led()
        follows = next(name for name in group.addresses if name != leads)
        assert await group.ask(leads, "PUT", "/kv/a%2Fb", {"value": "ž\n"}) == (200, "")
        assert await group.ask(leads, "GET", "/kv/a%2Fb") == (200, {"value": "ž\n"})
        assert await group.ask(leads, "POST", "/kv/a%2Fb", {"expected": "ž\n", "new": "x"}) == (200, {"swapped": True})
        assert await group.ask(leads, "POST", "/kv/a%2Fb", {"expected": "ž\n", "new": "y"}) == (200, {"swapped": False})
        assert await group.ask(leads, "DELETE", "/kv/a%2Fb") == (200, "")
        assert await group.ask(leads, "GET", "/kv/a%2Fb") == (200, {"value": None})
        await group.until_caught_up(follows)
        for method, body in (("GET", None), ("PUT", {"value": "v"})):
            refused = {"outcome": "failed", "error": "this node does not lead", "leader": leads}
            assert await group.ask(follows, method, "/kv/a", body) == (503, refused)


@in_a_loop
async def test_what_is_no_request_is_refused_in_a_line(tmp_path: Path) -> None:
    async with nodes(tmp_path) as group:
        group.start()
        leads = await group.until_led()
        status, told = await group.ask(leads, "PUT", f"/kv/{'k' * 1025}", {"value": "v"})
        assert (status, told) == (
            413,
            {"outcome": "failed", "error": "the key has 1,025 bytes; 1,024 is the most", "leader": None},
        )
        status, _ = await group.ask(leads, "PUT", "/kv/k", {"value": "v" * MAX_VALUE_BYTES})
        assert status == 413
        assert (await group.ask(leads, "PUT", "/kv/k", {"valu": "v"}))[0] == 400
        assert (await group.ask(leads, "PATCH", "/kv/k"))[0] == 405
        assert (await group.ask(leads, "GET", "/kv/"))[0] == 404
        status, told = await group.ask(leads, "POST", "/members", {"add": leads})
        assert status == 400
        assert "for a node that is no member" in str(told)
        status, told = await group.ask(leads, "POST", "/leader", {"to": "n9"})
        assert (status, "n9 is no other voter" in str(told)) == (400, True)
        stranger = {"cluster": "other", "source": "n2", "messages": []}
        status, told = await group.ask("n1", "POST", "/raft", stranger)
        assert (status, "these messages are from n2 of cluster 'other'" in str(told)) == (400, True)


def test_a_folder_of_another_cluster_ends_the_node_with_a_line(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with reserved(3) as ports:
        Nodes(tmp_path, Raft(cluster="other"), list(ports)).found("n1")
        group = Nodes(tmp_path, Raft(), list(ports))
        with pytest.raises(SystemExit):
            asyncio.run(raft_node.main(NodeContext(group.spec("n1"))))
    assert "this folder holds the data of n1 of cluster 'other', and this is n1 of cluster 'raft'" in capfd.readouterr().err


@in_a_loop
async def test_a_committed_entry_that_is_no_command_has_no_effect_and_stops_no_node(tmp_path: Path) -> None:
    async with nodes(tmp_path) as group:
        for name in group.addresses:
            group.found(
                name,
                Entry(1, 1, '{"do": {"type": "Write", "key": "k"}}'),
                Entry(2, 1, "\\"),
                Entry(3, 1, '{"do": {"type": "Write", "key": "k", "value": "v"}}'),
            )
        for _ in range(2):  # when it is committed, and when the log is replayed
            group.start()
            client = RaftClient(0, list(group.addresses.items()))
            async with asyncio.timeout(20):
                assert (await client.invoke(Call("read", "k"))).value == "v"
                await client.invoke(Call("write", "other", "v"))
            await client.close()
            for name in group.addresses:
                await group.until_caught_up(name)
            for name in group.addresses:
                await group.stop(name)


@in_a_loop
async def test_a_node_that_cannot_go_on_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would otherwise skip what it could not carry out, and keep everyone who asks it waiting."""

    def apply(self: KeyValues, index: int, data: str) -> Answer:
        raise RuntimeError("cannot apply")

    monkeypatch.setattr(KeyValues, "apply", apply)
    async with nodes(tmp_path, Raft(replicas=1, election_ms=150, heartbeat_ms=20)) as group:
        group.start()
        await group.until_led()
        running, asking = group.running.pop("n1"), asyncio.create_task(group.ask("n1", "PUT", "/kv/k", {"value": "v"}))
        with pytest.RaisesGroup(pytest.RaisesGroup(pytest.RaisesExc(RuntimeError, match="cannot apply"))):
            await asyncio.wait_for(running, 20)
        asking.cancel()


@in_a_loop
async def test_what_is_no_command_is_not_proposed(tmp_path: Path) -> None:
    with reserved(1) as ports:
        group = Nodes(tmp_path, Raft(replicas=1), list(ports))
        replica = raft_node.Server(NodeContext(group.spec("n1")), raft_node.Config(members=("n1",))).replica
        with pytest.raises(ValueError, match="missing required field `key`"):
            await replica.propose('{"do": {"type": "Delete"}}')
        assert replica.status().last_index == 0


@in_a_loop
async def test_a_damaged_log_is_repaired_from_the_others_when_all_have_told(tmp_path: Path) -> None:
    async with nodes(tmp_path) as group:
        group.found("n1")
        log = tmp_path / "n1" / "raft.log"
        log.write_bytes(b"x" + log.read_bytes()[1:])
        group.start("n1", "n2")
        await group.status("n2")
        assert (await group.status("n1")).role == "damaged"  # and stays so, since one other is away
        status, told = await group.ask("n1", "GET", "/kv/k")
        assert (status, "record 1 of the log is damaged" in str(told)) == (503, True)
        group.start("n3")
        assert await group.ask(await group.until_led(), "PUT", "/kv/k", {"value": "v"}) == (200, "")
        await group.until_caught_up("n1")
        assert (await group.status("n1")).told is not None


@in_a_loop
async def test_members_come_and_go_and_leaders_hand_over(tmp_path: Path) -> None:
    async with nodes(tmp_path, Raft(replicas=3, spares=1, election_ms=150, heartbeat_ms=20)) as group:
        group.start()
        leads = await group.until_led()
        assert await change_member("n4", True, group.addresses) is None
        assert await change_member(leads, False, group.addresses) is None
        assert await hand_over("n4", group.addresses) is None
        assert (await group.status("n4")).members.voters == tuple(name for name in ("n1", "n2", "n3", "n4") if name != leads)


@in_a_loop
async def test_a_client_follows_the_leader_and_asks_again_until_it_knows(tmp_path: Path) -> None:
    async with nodes(tmp_path) as group:
        group.start()
        leads = await group.until_led()
        client = RaftClient(0, list(group.addresses.items()))
        async with asyncio.timeout(20):
            assert (await client.invoke(Call("write", "k", "1"))).node == leads
            follows = next(name for name in group.addresses if name != leads)
            assert await hand_over(follows, group.addresses) is None
            written = await client.invoke(Call("cas", "k", '["1","2"]'))
            assert (written.value, written.node) == (None, follows)
            assert (await client.invoke(Call("cas", "k", '["1","3"]'))).value == '["1","3",false]'
            assert (await client.invoke(Call("read", "k"))).value == "2"
            await client.invoke(Call("delete", "k"))
            assert (await client.invoke(Call("read", "k"))).value is None
        await client.close()
