"""One replica of Serving on a real connection inside this process, for tests to ask."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path

import msgspec
import pytest

from harness.cluster.ports import HOST, reserved
from harness.http.client import HttpClient
from harness.http.message import Response, Unreachable
from harness.node.context import NodeContext, NodeSpec
from systems.serving import artifacts, replica
from systems.serving.messages import PredictReply, PredictRequest

Main = Callable[[NodeContext], Coroutine[object, object, None]]


def with_replica(
    folder: Path,
    tmp_path: Path,
    scenario: Callable[[HttpClient], Coroutine[object, object, None]],
    *,
    main: Main = replica.main,
    **settings: float,
) -> None:
    """Run a scenario against a replica with the first version's weights, and these settings besides."""

    async def run(port: int) -> None:
        config: dict[str, object] = {"folder": str(folder), "weights": artifacts.WEIGHTS, **settings}
        spec = NodeSpec(name="r1", start=0, host=HOST, port=port, data=str(tmp_path), log="", seed=1, config=config)

        async def serve() -> None:
            await main(NodeContext(spec))

        task, client = asyncio.create_task(serve()), HttpClient((HOST, port))
        async with asyncio.timeout(20):
            while True:
                try:
                    await client.request("GET", "/-/node", timeout_s=5)
                    break
                except Unreachable:
                    await asyncio.sleep(0)
        try:
            await scenario(client)
        finally:
            client.close()
            task.cancel()
            await asyncio.wait([task])

    with reserved(1) as ports, pytest.MonkeyPatch.context() as patch:
        patch.setattr(replica, "QUIET_S", 0.0)
        asyncio.run(run(ports[0]))


async def reload(client: HttpClient, weights: str) -> Response:
    return await client.request("POST", "/reload", msgspec.json.encode({"weights": weights}), timeout_s=10)


async def predict(client: HttpClient, digit: artifacts.Digit) -> PredictReply:
    body = msgspec.json.encode(PredictRequest(digit.pixels))
    return (await client.request("POST", "/predict", body, timeout_s=10)).decode(PredictReply)
