"""What a node gets from its context."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import pytest

from harness.cluster.ports import HOST, reserved
from harness.http.client import HttpClient
from harness.http.message import Request, Response, Unreachable
from harness.model.steering import Setting
from harness.node.context import NodeContext, NodeSpec


def test_writes_to_a_shared_folder_that_fail_do_not_leave_more_and_more_files_open(tmp_path: Path) -> None:
    spec = NodeSpec(name="n1", start=0, host="127.0.0.1", port=0, data=str(tmp_path / "nodes" / "n1"), log="", seed=1)
    node = NodeContext(spec)
    node._machine.control[Setting.NO_SPACE] = 1
    for _ in range(8):
        with pytest.raises(OSError, match="No space left on device"):
            node.shared("checkpoints").replace("manifest", b"new")
    targets = [str(one.resolve()) for one in Path("/proc/self/fd").iterdir()]
    assert len([target for target in targets if target.startswith(f"{tmp_path}/shared/")]) == 1
    node._machine.control[Setting.NO_SPACE] = 0
    node.shared("checkpoints").replace("manifest", b"new")
    assert node.shared("checkpoints").read("manifest") == b"new"


def test_a_node_ends_while_clients_are_still_connected(tmp_path: Path) -> None:
    async def hello(request: Request) -> Response:
        return Response(200, b"hello")

    async def scenario() -> None:
        with reserved(1) as [port]:
            spec = NodeSpec(name="n1", start=0, host=HOST, port=port, data=str(tmp_path), log="", seed=1)
            serving = asyncio.create_task(NodeContext(spec).serve(hello))
            client, answer = HttpClient((HOST, port)), None
            while answer is None:
                with contextlib.suppress(Unreachable):  # it may not listen yet
                    answer = await client.request("GET", "/", timeout_s=60)
                await asyncio.sleep(0.001)
            serving.cancel()
            assert await asyncio.wait([serving], timeout=60) == ({serving}, set())
            client.close()

    asyncio.run(scenario())
