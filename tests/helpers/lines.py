"""A system with a protocol of its own: a node says each line again."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.model.system import Address, Answer, Call, Client, Node
from harness.node.context import NodeContext


@dataclass(frozen=True, kw_only=True)
class Lines:
    """One node, `n1`. If it is `careless`, it never closes a connection that its client has closed."""

    careless: bool = False

    def nodes(self) -> Sequence[Node]:
        return [Node(name="n1", code="tests.helpers.lines", config={"careless": self.careless})]

    def entries(self) -> Sequence[str]:
        return ["n1"]

    def client(self, index: int, entries: Mapping[str, Address]) -> Client:
        return _Client(entries["n1"])

    async def probe(self, address: Address) -> None:
        await said_again(address, "probe")


async def said_again(address: Address, line: str) -> str:
    """What a node answers to a line on a new connection."""
    reader, writer = await asyncio.open_connection(*address)
    try:
        writer.write(f"{line}\n".encode())
        return (await reader.readuntil(b"\n")).decode().rstrip("\n")
    finally:
        writer.close()


class _Client:
    def __init__(self, address: Address) -> None:
        self._address = address

    async def invoke(self, call: Call) -> Answer:
        return Answer(await said_again(self._address, f"/{call.key}"))

    async def close(self) -> None:
        """Nothing is left open."""


async def main(node: NodeContext) -> None:
    careless = node.config(dict[str, bool])["careless"]

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            writer.write(line)
        if careless:
            await asyncio.get_running_loop().create_future()
        writer.close()

    async with await asyncio.start_server(serve, *node.listen) as server:
        await server.serve_forever()
