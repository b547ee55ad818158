"""An edge between regions that answer on real connections inside this process."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest

from harness.http.message import Request, Response
from harness.http.server import listen
from harness.model.system import Address
from harness.node.context import NodeContext, NodeSpec
from systems.parts.breaker import State
from systems.regions.edge import BREAKER, Config, Edge, EdgeStatus
from tests.helpers.closing import closing

ASKED = Request("POST", "/predict")
ERROR = Response(500, b"internal error")


@pytest.fixture(autouse=True)
def _no_time_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    """For breakers, so that the machine may be slow."""
    monkeypatch.setattr(NodeContext, "clock", lambda self: 100.0)


@contextlib.asynccontextmanager
async def between(answers: Mapping[str, Response], tmp_path: Path) -> AsyncIterator[Edge]:
    """The edge of a region, where each other region and the balancer at home always gives the same answer."""
    async with contextlib.AsyncExitStack() as servers:
        peers: dict[str, Address] = {}
        for name, answer in answers.items():

            async def handle(request: Request, answer: Response = answer) -> Response:
                return answer

            server = await servers.enter_async_context(closing(listen(handle, ("127.0.0.1", 0))))
            peers[name] = server.sockets[0].getsockname()[:2]
        spec = NodeSpec(name="eu", start=0, host="", port=0, data=str(tmp_path), log="", seed=1, peers=peers)
        yield Edge(NodeContext(spec), Config(home="home", guests=4))


async def breakers(edge: Edge) -> dict[str, State]:
    status = (await edge.handle(Request("GET", "/status"))).decode(EdgeStatus)
    return {route.name: route.breaker for route in status.routes}


def test_errors_are_no_answers_and_who_gives_nothing_else_is_left_out(tmp_path: Path) -> None:
    async def main() -> None:
        async with between({"home": ERROR, "us": ERROR, "asia": Response(200, b"asia")}, tmp_path) as edge:
            for _ in range(BREAKER.least_calls):
                assert (await breakers(edge))["home"] == "closed"
                response = await edge.handle(ASKED)
                assert (response.status, response.body) == (200, b"asia")
            assert (await breakers(edge))["home"] == "open"

    asyncio.run(main())


def test_a_region_that_refuses_has_not_failed(tmp_path: Path) -> None:
    async def main() -> None:
        async with between({name: Response(503, b"full") for name in ("home", "us", "asia")}, tmp_path) as edge:
            for _ in range(BREAKER.least_calls):
                assert (await edge.handle(ASKED)).status == 503
            assert set((await breakers(edge)).values()) == {"closed"}

    asyncio.run(main())
