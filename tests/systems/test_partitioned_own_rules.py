"""Whom a node of the partitioned store counts as silent: nodes to accept, and nodes to reject."""

from __future__ import annotations

import asyncio

from harness.cluster.ports import HOST, reserved
from harness.http.message import Request, Response
from harness.http.server import listen
from systems.partitioned.messages import Beat
from systems.partitioned.own_rules import SparesOnlyTheSilent
from systems.partitioned.peer import SILENT_AFTER, Heard, Peer, answer
from systems.parts.owner import Owner


def look(rule: SparesOnlyTheSilent, heard: Heard, start: int = 1) -> str | None:
    return rule.broken({"coordinator": {"map": None}, "n1": {"start": start, "peers": {"n2": heard}}})


def test_a_node_that_has_answered_nothing_lately_is_silent() -> None:
    rule = SparesOnlyTheSilent()
    for heard in (Heard(3, 0, False), Heard(3, 4, True), Heard(3, 9, True), Heard(4, 9, False), Heard(5, 13, True)):
        assert look(rule, heard) is None


def test_a_node_that_answers_is_not_silent() -> None:
    rule = SparesOnlyTheSilent()
    assert look(rule, Heard(3, 4, True)) is None
    assert look(rule, Heard(4, 4, True)) == "n1 counts n2 as silent, and only 0 requests were unanswered lately"
    assert look(rule, Heard(6, 7, True)) is not None


def test_a_new_start_counts_anew() -> None:
    rule = SparesOnlyTheSilent()
    assert look(rule, Heard(5, 3, False)) is None
    assert look(rule, Heard(6, 5, True), start=2) is None
    assert look(rule, Heard(7, 5, True), start=2) is not None


def test_a_peer_is_silent_until_it_answers_again() -> None:
    async def scene(port: int) -> list[Heard]:
        peer = Peer(Owner("partitioned", "n2"), (HOST, port))

        async def n2(request: Request) -> Response:
            return answer(Beat(1, None))

        for _ in range(SILENT_AFTER):
            await peer.ask("/beat", Beat(1, None), Beat, 1.0)
        found = [peer.heard]
        listening = await listen(n2, (HOST, port))
        await peer.ask("/beat", Beat(1, None), Beat, 1.0)
        peer.close()
        listening.close()
        return [*found, peer.heard]

    with reserved(1) as ports:
        silent = [Heard(0, SILENT_AFTER, True), Heard(1, SILENT_AFTER, False)]
        assert asyncio.run(scene(ports[0])) == silent
