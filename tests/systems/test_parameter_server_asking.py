"""Which server of a parameter server leads, according to its nodes."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import pytest

from harness.http.message import Request, Response, TransportError
from harness.http.server import listen
from systems.parameter_server.asking import leader
from systems.parameter_server.messages import Promised
from tests.helpers.closing import closing

NOBODY = Promised(granted=False, term=4, server="")
WORKER = Promised(granted=False, term=3, server="standby")
ASKED_FOR_TERM_4 = Promised(granted=False, term=4, server="master")
MASTER = Promised(granted=True, term=2, server="master")
STANDBY = Promised(granted=True, term=3, server="standby")


def found(*answers: Promised) -> str:
    async def scenario() -> str:
        async with AsyncExitStack() as stack:
            addresses = {"gone": ("127.0.0.1", 1)}
            for number, answer in enumerate(answers):

                async def handle(request: Request, answer: Promised = answer) -> Response:
                    return Response.json(answer)

                serving = await stack.enter_async_context(closing(listen(handle, ("127.0.0.1", 0))))
                addresses[f"n{number}"] = serving.sockets[0].getsockname()[:2]
            return await leader(addresses)

    return asyncio.run(scenario())


@pytest.mark.parametrize(
    ("answers", "name"),
    [
        ((WORKER, NOBODY), "standby"),
        ((MASTER, STANDBY, WORKER), "standby"),  # the master has not heard of its successor yet
        ((STANDBY, ASKED_FOR_TERM_4), "standby"),  # a promise is not an election
    ],
)
def test_the_master_of_the_latest_term_is_found(answers: tuple[Promised, ...], name: str) -> None:
    assert found(*answers) == name


def test_it_is_said_if_no_node_knows_of_a_master() -> None:
    with pytest.raises(TransportError, match="no server leads now"):
        found(NOBODY)
