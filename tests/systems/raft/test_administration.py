"""Administration of a group whose leader does not do what it is asked for."""

from __future__ import annotations

import asyncio

import pytest
from msgspec.structs import replace

from harness.cluster.ports import HOST, reserved
from harness.http.message import Request, Response
from harness.http.server import listen
from systems.raft import administration
from systems.raft.core.messages import Members
from systems.raft.messages import LEADER_PATH, Status

LEADS = Status(
    cluster="raft", name="n1", role="leader", term=1, leader="n1", members=Members(("n1", "n2")), changing=False,
    last_index=1, commit=1, applied=1, told=None,
)  # fmt: skip


def asked(monkeypatch: pytest.MonkeyPatch, *, patience_s: float, status: int = 202) -> tuple[str | None, int]:
    """What comes of a wish to have n2 lead, and how often n1 was asked, which goes on leading."""
    monkeypatch.setattr(administration, "_PATIENCE_S", patience_s)
    monkeypatch.setattr(administration, "_HANDS_OVER_S", 60.0)
    paths: list[str] = []

    async def n1(request: Request) -> Response:
        paths.append(request.path)
        return Response(status) if request.path == LEADER_PATH else Response.json(LEADS)

    async def scene(port: int) -> str | None:
        listening = await listen(n1, (HOST, port))
        try:
            return await administration.hand_over("n2", {"n1": (HOST, port)})
        finally:
            listening.close()

    with reserved(1) as (port,):
        return asyncio.run(scene(port)), paths.count(LEADER_PATH)


def test_a_leader_that_hands_over_is_left_alone_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    assert asked(monkeypatch, patience_s=0.3) == ("n1 leads", 1)


@pytest.mark.slow
def test_a_leader_that_refuses_is_asked_again_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    why, times = asked(monkeypatch, patience_s=1.0, status=503)
    assert (why, times > 1) == ("status 503", True)


@pytest.mark.parametrize(("name", "joins"), [("n2", True), ("n3", False)])
def test_a_change_is_not_done_before_it_is_committed(name: str, joins: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(administration, "_PATIENCE_S", 60.0)
    looks = 0

    async def n1(request: Request) -> Response:
        nonlocal looks
        looks += 1
        return Response.json(replace(LEADS, changing=looks < 3))

    async def scene(port: int) -> str | None:
        listening = await listen(n1, (HOST, port))
        try:
            return await administration.change_member(name, joins, {"n1": (HOST, port)})
        finally:
            listening.close()

    with reserved(1) as (port,):
        assert asyncio.run(scene(port)) is None
    assert looks == 3
