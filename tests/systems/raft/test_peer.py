"""What one node of a group learns from another one's address."""

from __future__ import annotations

import asyncio

import pytest

from harness.cluster.ports import HOST, reserved
from harness.http.message import Request, Response
from harness.http.server import listen
from systems.parts.sealing import answered
from systems.raft.core.messages import Members
from systems.raft.core.recovery import Told
from systems.raft.core.state import Timing
from systems.raft.messages import Status
from systems.raft.peer import Peer

TOLD = Told(term=3, last_term=2, last_index=7, members=("n1", "n2", "n3"), may_campaign=True)


@pytest.mark.parametrize(("cluster", "name", "told"), [("raft", "n2", TOLD), ("other", "n2", None), ("raft", "n3", None)])
def test_a_damaged_node_believes_only_the_node_that_it_asks(cluster: str, name: str, told: Told | None) -> None:
    status = Status(
        cluster=cluster, name=name, role="follower", term=3, leader=None, members=Members(("n1", "n2", "n3")), changing=False,
        last_index=7, commit=7, applied=7, told=TOLD,
    )  # fmt: skip

    async def someone(request: Request) -> Response:
        return Response.json(status)

    async def scene(port: int) -> Told | None:
        listening = await listen(lambda request: answered(request, someone), (HOST, port))
        try:
            return await Peer((HOST, port), Timing(election_ms=20_000), cluster="raft", name="n1").tell("n2")
        finally:
            listening.close()

    with reserved(1) as (port,):
        assert asyncio.run(scene(port)) == told
