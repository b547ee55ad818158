"""What a client that looks for the leader makes of each answer: above all, whether its request may have had its effect."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence

import pytest

from harness.cluster.ports import HOST, reserved
from harness.http.message import INTERNAL_ERROR, Request, Response, TransportError
from harness.http.server import listen
from harness.model.system import CallFailed
from systems.raft.finding import LeaderFinder
from systems.raft.messages import NotDone

NOT_LEADING = Response.json(NotDone("failed", "this node does not lead"), 503)
UNKNOWN = Response.json(NotDone("unknown", "not committed within 1 s"), 504)
REFUSED = Response.json(NotDone("failed", "that is no command"), 400)


def asked(method: str, answers: Sequence[Response], nodes: int = 2) -> tuple[str, Response]:
    """What a client gets whose nodes give these answers, one after another."""
    left: Iterator[Response] = iter(answers)

    async def answer(request: Request) -> Response:
        return next(left)

    async def ask() -> tuple[str, Response]:
        with reserved(nodes) as ports:
            entries = [(f"n{number}", (HOST, port)) for number, port in enumerate(ports, start=1)]
            servers = [await listen(answer, address) for _, address in entries]
            finder = LeaderFinder(0, entries)
            try:
                async with asyncio.timeout(60):
                    return await finder.ask(method, "/kv/k")
            finally:
                finder.close()
                for server in servers:
                    server.close()

    return asyncio.run(ask())


@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_it_asks_the_next_node_until_one_does_it(method: str) -> None:
    name, response = asked(method, [NOT_LEADING, UNKNOWN, Response()], nodes=3)
    assert (name, response.status) == ("n3", 200)


def test_a_first_refusal_has_no_effect() -> None:
    with pytest.raises(CallFailed, match="n1: that is no command"):
        asked("PUT", [REFUSED])
    with pytest.raises(CallFailed, match="does not lead"):
        asked("PUT", [NOT_LEADING], nodes=1)


def test_a_refusal_says_nothing_of_an_earlier_try() -> None:
    with pytest.raises(TransportError, match="n2: that is no command"):
        asked("PUT", [UNKNOWN, REFUSED])
    with pytest.raises(CallFailed, match="n2: that is no command"):
        asked("GET", [UNKNOWN, REFUSED])


def test_a_node_that_failed_in_the_middle_may_have_done_it() -> None:
    with pytest.raises(TransportError, match="n1: status 500"):
        asked("PUT", [INTERNAL_ERROR])
    with pytest.raises(CallFailed, match="n1: status 500"):
        asked("GET", [INTERNAL_ERROR])
