"""Nodes for testing faults of disks and clocks: they write, sync and read files, and tell the time, on request."""

from __future__ import annotations

import errno
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.http.message import Request, Response
from harness.model.system import Address, Client, Node
from harness.node import context as nodes
from tests.helpers.echo import EchoClient
from tests.helpers.subject import Stage, Subject


@dataclass(frozen=True, kw_only=True)
class Keeper(Subject):
    """Nodes n1, n2, … that keep files; `foreign` ones are a program independent of this project."""

    foreign: bool = False

    def nodes(self) -> Sequence[Node]:
        names = [f"n{number}" for number in range(1, self.replicas + 1)]
        if self.foreign:
            command = (sys.executable, "-m", "http.server", "{port}", "--bind", "{host}", "--directory", "{data}")
            return [Node(name=name, command=command) for name in names]
        return [Node(name=name, code="tests.helpers.keeper") for name in names]

    def client(self, index: int, entries: Mapping[str, Address]) -> Client:
        return EchoClient(entries["n1"])


async def write(stage: Stage, text: str, *, synced: bool, file: str = "log") -> str:
    """Have n1 append to a file: "done", or the name of the error that the disk gave."""
    done = await stage.ask("n1", f"/append?file={file}&text={text}")
    return await stage.ask("n1", f"/sync?file={file}") if synced and done == "done" else done


async def main(node: nodes.NodeContext) -> None:
    """Serve `/append?file=&text=`, `/sync?file=`, `/replace?file=&text=`, `/read?file=`, `/time`,
    `/compute?name=`: zeros, as they are when it has told of them."""

    def act(request: Request) -> str:
        file, text = request.query.get("file", ""), request.query.get("text", "").encode()
        match request.path:
            case "/append":
                node.disk.append(file, text)
            case "/sync":
                node.disk.sync(file)
            case "/replace":
                node.disk.replace(file, text)
            case "/read":
                return (node.disk.read(file) or b"nothing").decode("latin-1")
            case "/compute":
                content = bytearray(16)
                node.computed(request.query["name"], [memoryview(content)])
                return content.hex()
            case "/time":
                return str(node.time())
        return "done"

    async def handle(request: Request) -> Response:
        try:
            return Response(200, act(request).encode())
        except OSError as error:
            return Response(507, errno.errorcode[error.errno or 0].encode())

    await node.serve(handle)
