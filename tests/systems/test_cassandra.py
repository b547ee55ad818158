"""Cassandra: how its nodes learn each other's addresses, and how its client reads their answers."""

from __future__ import annotations

import asyncio
import contextlib
import struct
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from harness.cluster.ports import HOST
from harness.model.errors import UsageError
from harness.model.system import Address, Answer, Call, CallFailed, HasClock, HasInstall, HasProbe, System, links_of
from harness.node.context import NodeSpec
from systems.foreign.cassandra import Cassandra, start
from systems.foreign.cassandra.client import CassandraClient
from systems.foreign.cassandra.cql import quoted
from systems.foreign.cassandra.schema import first_token
from tests.helpers.closing import closing

HEADER = struct.Struct(">BBhBi")
ERROR, READY, RESULT = 0x00, 0x02, 0x08
VOID = struct.pack(">i", 1)


def text(value: str) -> bytes:
    return struct.pack(">H", len(value.encode())) + value.encode()


def rows(name: str, kind: int, *values: bytes) -> bytes:
    """A result of one column."""
    head = struct.pack(">iii", 2, 1, 1) + text("harness") + text("registers") + text(name) + struct.pack(">H", kind)
    return head + struct.pack(">i", len(values)) + b"".join(struct.pack(">i", len(value)) + value for value in values)


def values(*found: str) -> bytes:
    return rows("value", 0x0D, *(one.encode() for one in found))


def applied(whether: bool) -> bytes:
    return rows("[applied]", 0x04, bytes([whether]))


def error(code: int, *rest: bytes) -> bytes:
    return struct.pack(">i", code) + text("told so") + b"".join(rest)


UNAVAILABLE = error(0x1000, struct.pack(">Hii", 4, 2, 1))
WRITE_TIMEOUT = error(0x1100, struct.pack(">Hii", 4, 1, 2), text("SIMPLE"))
READ_TIMEOUT = error(0x1200, struct.pack(">Hii?", 4, 1, 2, False))
INVALID = error(0x2200)
SERVER_ERROR = error(0x0000)


@contextlib.asynccontextmanager
async def answering(opcode: int, body: bytes) -> AsyncIterator[tuple[Address, list[bytes]]]:
    """A node that says it is ready, and has the same answer for every statement; what it was asked."""
    asked: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                _, _, stream, kind, length = HEADER.unpack(await reader.readexactly(HEADER.size))
                question = await reader.readexactly(length)
                answer = (READY, b"") if kind == 0x01 else (opcode, body)
                if kind != 0x01:
                    asked.append(question)
                writer.write(HEADER.pack(0x84, 0, stream, answer[0], len(answer[1])) + answer[1])
        writer.close()

    async with closing(asyncio.start_server(serve, HOST, 0)) as server:
        yield server.sockets[0].getsockname(), asked


def invoke(call: Call, opcode: int, body: bytes, *, transactions: bool = False) -> tuple[Answer, list[bytes]]:
    async def scene() -> tuple[Answer, list[bytes]]:
        async with answering(opcode, body) as (address, asked):
            client = CassandraClient(0, [("n1", address)], consistency="QUORUM", transactions=transactions)
            try:
                return await client.invoke(call), asked
            finally:
                await client.close()

    return asyncio.run(scene())


def test_it_is_a_system_with_a_clock_that_can_be_installed() -> None:
    for protocol in (System, HasProbe, HasClock, HasInstall):
        assert isinstance(Cassandra(), protocol)
    with pytest.raises(UsageError, match="no such level"):
        Cassandra(consistency="TWO")  # type: ignore[arg-type]


def test_each_node_is_told_the_links_to_its_peers() -> None:
    assert len(links_of(Cassandra())) == 3 + 6
    [node] = [node for node in Cassandra().nodes() if node.name == "n2"]
    assert "-Dlinks={host}:{peer_port:n1}={peer:n1},{host}:{peer_port:n3}={peer:n3}" in node.command


def test_nodes_agree_on_the_seeds_and_share_the_ring_evenly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ports = {"n1": 7001, "n2": 7002, "n3": 7003}
    told: list[dict[str, Any]] = []
    monkeypatch.chdir(tmp_path)
    for name, port in ports.items():
        peers = {peer: ("127.0.1.9", ports[peer]) for peer in ports if peer != name}
        spec = NodeSpec(
            name=name,
            start=0,
            host=HOST,
            port=9042,
            internal_port=port,
            data="/d",
            log="",
            seed=0,
            command=("java",),
            peers=peers,
        )
        assert start.setup(spec) == []
        told.append(msgspec.json.decode(Path("cassandra.yaml").read_bytes()))
    assert [one["storage_port"] for one in told] == [7001, 7002, 7003]
    assert {one["seed_provider"][0]["parameters"][0]["seeds"] for one in told} == {
        "127.0.0.1:7001,127.0.0.1:7002,127.0.0.1:7003"
    }
    tokens = [int(one["initial_token"]) for one in told]
    assert tokens[0] == int(first_token()) == -(2**63)
    assert tokens[2] - tokens[1] == tokens[1] - tokens[0] == 2**64 // 3


def test_texts_are_quoted() -> None:
    assert quoted("it's") == "'it''s'"


def test_what_is_there_is_read_and_what_is_not_is_null() -> None:
    answer, [asked] = invoke(Call("read", "k"), RESULT, values("7"))
    assert answer == Answer("7", "n1")
    assert b"SELECT value FROM harness.registers WHERE key = 'k'" in asked
    assert invoke(Call("read", "k"), RESULT, values())[0] == Answer(None, "n1")


def test_a_write_of_a_transaction_goes_through_paxos() -> None:
    _, [plain] = invoke(Call("write", "k", "7"), RESULT, VOID)
    _, [light] = invoke(Call("write", "k", "7"), RESULT, applied(True), transactions=True)
    assert b" IF " not in plain
    assert b"IF value != '7'" in light
    with pytest.raises(CallFailed, match="there already"):
        invoke(Call("write", "k", "7"), RESULT, applied(False), transactions=True)


@pytest.mark.parametrize(("done", "value"), [(True, None), (False, '["1","2",false]')])
def test_a_compare_and_set_tells_whether_it_did(done: bool, value: str | None) -> None:
    answer, [asked] = invoke(Call("cas", "k", '["1","2"]'), RESULT, applied(done), transactions=True)
    assert answer == Answer(value, "n1")
    assert b"SET value = '2' WHERE key = 'k' IF value = '1'" in asked


@pytest.mark.parametrize("body", [UNAVAILABLE, INVALID])
def test_a_write_that_a_node_refused_has_failed(body: bytes) -> None:
    with pytest.raises(CallFailed, match="told so"):
        invoke(Call("write", "k", "7"), ERROR, body)


@pytest.mark.parametrize(("body", "transactions"), [(WRITE_TIMEOUT, False), (SERVER_ERROR, False), (UNAVAILABLE, True)])
def test_a_write_that_came_to_an_end_otherwise_is_unknown(body: bytes, transactions: bool) -> None:
    with pytest.raises(ConnectionError, match="told so"):
        invoke(Call("write", "k", "7"), ERROR, body, transactions=transactions)


@pytest.mark.parametrize("body", [READ_TIMEOUT, UNAVAILABLE, SERVER_ERROR])
def test_a_read_has_failed_whatever_the_error(body: bytes) -> None:
    with pytest.raises(CallFailed, match="told so"):
        invoke(Call("read", "k"), ERROR, body)


def test_a_call_that_found_no_node_or_is_not_known_has_failed() -> None:
    client = CassandraClient(0, [("n1", (HOST, 1))], consistency="ONE", transactions=False)
    with pytest.raises(CallFailed, match=r"n1: .*[Cc]onnect"):
        asyncio.run(client.invoke(Call("read", "k")))
    for call in (Call("cas", "k", '["1","2"]'), Call("predict", "k")):
        with pytest.raises(CallFailed, match="takes reads"):
            asyncio.run(client.invoke(call))


def test_without_the_program_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}")
    assert "harness install cassandra" in str(Cassandra().missing())
    monkeypatch.setattr("shutil.which", lambda name: None)
    assert "Java" in str(Cassandra().missing())
