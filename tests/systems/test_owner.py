"""The owner of a node's folder, and the receiver that a request names."""

from __future__ import annotations

import asyncio
import importlib
from pathlib import Path

import pytest

from harness.cluster.ports import HOST
from harness.http.batched_server import BatchHandler
from harness.http.message import Request
from harness.http.server import Handler
from harness.model.system import Node
from harness.node.context import NodeContext, NodeSpec
from harness.node.crashpoints import MemoryFiles
from harness.node.disk import Disk
from systems.bus import Bus
from systems.eventual import Eventual
from systems.partitioned import Partitioned
from systems.parts.owner import OWNER, OtherNode, Owner, UnknownOwner
from systems.parts.record_log import encode_line
from systems.quorum import Quorum
from systems.raft import Raft
from systems.strong import Strong


def test_a_folder_belongs_to_the_node_that_was_first_started_on_it() -> None:
    disk = Disk(MemoryFiles())
    mine = Owner("c", "n1")
    assert not mine.check_disk(disk)
    mine.claim(disk)
    assert mine.check_disk(disk)
    for other in (Owner("c", "n2"), Owner("d", "n1")):
        with pytest.raises(OtherNode, match=f"data of n1 of cluster 'c', and this is {other}: give it its own folder"):
            other.claim(disk)
    mine.claim(disk)


def test_a_folder_whose_owner_is_not_known_any_more_is_refused_and_left_alone() -> None:
    for damaged in (b'0badbeef ["c","n2"]\n', b"", b'0badbeef ["c","n1"]\n0badbeef ["c","n1"]\n'):
        disk = Disk(MemoryFiles())
        disk.replace(OWNER, damaged)
        with pytest.raises(
            UnknownOwner, match=r"this is n1 of cluster 'c', and the file 'owner', .*, is damaged: delete that file if"
        ):
            Owner("c", "n1").claim(disk)
        assert disk.read(OWNER) == damaged


def test_one_damaged_byte_of_the_note_of_the_owner_is_mended() -> None:
    disk = Disk(MemoryFiles())
    mine = Owner("c", "n1")
    mine.claim(disk)
    note = disk.read(OWNER)
    assert note is not None
    for at in range(len(note)):
        disk.replace(OWNER, note[:at] + bytes([note[at] ^ 0x10]) + note[at + 1 :])
        with pytest.raises(OtherNode, match="data of n1 of cluster 'c', and this is n2"):
            Owner("c", "n2").claim(disk)
        mine.claim(disk)
        assert disk.read(OWNER) == note


def test_a_note_of_one_copy_is_read_and_completed() -> None:
    disk = Disk(MemoryFiles())
    disk.replace(OWNER, encode_line(b'["c","n1"]'))
    with pytest.raises(OtherNode, match="data of n1"):
        Owner("c", "n2").claim(disk)
    Owner("c", "n1").claim(disk)
    assert disk.read(OWNER) == 2 * encode_line(b'["c","n1"]')


@pytest.mark.parametrize(
    ("headers", "told"),
    [
        ({"cluster": "c", "node": "n1"}, None),
        ({"cluster": "d", "node": "n1"}, "this is n1 of cluster 'c', and the question is for n1 of cluster 'd'"),
        ({"cluster": "c", "node": "n2"}, "this is n1 of cluster 'c', and the question is for n2 of cluster 'c'"),
        ({"cluster": "c"}, "this is n1 of cluster 'c', and the question does not say whom it is for"),
        ({}, "this is n1 of cluster 'c', and the question does not say whom it is for"),
    ],
)
def test_a_question_for_another_node_is_refused(headers: dict[str, str], told: str | None) -> None:
    refusal = Owner("c", "n1").misdirected(headers)
    assert (None if refusal is None else refusal.body.decode()) == told
    assert refusal is None or refusal.status == 421


def test_what_a_node_sends_names_the_one_that_it_means() -> None:
    owner = Owner("c", "n1")
    assert owner.misdirected(Request("POST", "/", headers=dict(owner.headers)).headers) is None


class Started(Exception):
    """A node serves, and has marked its folder as its own."""


class StartedOnly(NodeContext):
    """A node that ends when it would serve."""

    async def serve(self, handler: Handler) -> None:
        await self._begun()

    async def serve_batches(self, handler: BatchHandler) -> None:
        await self._begun()

    async def _begun(self) -> None:
        while not {OWNER, "identity", "promise"} & set(self.disk.names()):
            await asyncio.sleep(0)
        raise Started


def start(node: Node, folder: Path, **config: object) -> None:
    """Raises the outcome of its start."""
    spec = NodeSpec(
        name=node.name, start=0, host=HOST, port=1, data=str(folder), log="", seed=1,
        peers=dict.fromkeys(node.peers, (HOST, 1)), config={**node.config, **config},
    )  # fmt: skip
    assert node.code is not None
    main = importlib.import_module(node.code).main
    try:
        asyncio.run(main(StartedOnly(spec)))
    except* Started as group:
        raise Started from group


@pytest.mark.parametrize("kind", [Raft, Strong, Eventual, Quorum, Partitioned, Bus])
def test_no_node_of_a_store_starts_on_what_another_one_kept(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], kind: type[Raft]
) -> None:
    """Neither as another node nor in another cluster; one of each kind of node that the system has."""
    nodes = kind().nodes()
    for node in {node.code: node for node in nodes}.values():
        folder = tmp_path / str(node.code)
        for _ in range(2):
            with pytest.raises(Started):
                start(node, folder)
        refused = f"this folder holds the data of {Owner(str(node.config['cluster']), node.name)}, and this is"
        others = [other for other in nodes if other.code == node.code and other.name != node.name]
        for other, cluster in ((node, "b"), *((other, node.config["cluster"]) for other in others)):
            with pytest.raises(SystemExit):
                start(other, folder, cluster=cluster)
            assert f"{refused} {other.name} of cluster {cluster!r}: give it its own folder" in capfd.readouterr().err
