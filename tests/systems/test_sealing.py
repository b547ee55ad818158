"""Messages between nodes: one in which a link has flipped bits counts as lost."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from msgspec.structs import replace

from harness.checkers.faults_acted import faults_acted
from harness.cluster.ports import HOST
from harness.http.client import HttpClient
from harness.http.message import BadAnswer, Request, Response
from harness.http.server import listen
from harness.run import catalog
from harness.run.judging import ALWAYS, check
from harness.run.schedule import plan
from harness.simulation.record import SimulatedRun
from systems.parts.record_log import Damaged
from systems.parts.sealing import SealedClient, answer_to, answered, is_sealed, opened, sealed, unsealed
from tests.helpers.closing import closing
from tests.helpers.effort import left_to_ci

TIMEOUT_S = 20
ASKED = "/kv/a%2Fb?read=1&note=%C5%BE&none="


def flipped(message: bytes, bit: int) -> bytes:
    changed = bytearray(message)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def test_every_flipped_bit_is_noticed() -> None:
    message = sealed(b'{"value": "1"}', b"PUT /kv/k")
    assert unsealed(message, b"PUT /kv/k") == b'{"value": "1"}'
    for bit in range(8 * len(message)):
        with pytest.raises(Damaged):
            unsealed(flipped(message, bit), b"PUT /kv/k")


@pytest.mark.parametrize("cut", [b"", b"0", sealed(b"text")[:-1]])
def test_a_message_that_is_cut_off_is_damaged(cut: bytes) -> None:
    with pytest.raises(Damaged):
        unsealed(cut)


def served(
    handler: Callable[[Request], Awaitable[Response]], scenario: Callable[[SealedClient, HttpClient], Awaitable[object]]
) -> object:
    """What a scenario returns that asks a server with this handler, with and without checksums."""

    async def run() -> object:
        async with asyncio.timeout(60), closing(listen(handler, (HOST, 0))) as server:
            address = server.sockets[0].getsockname()[:2]
            sealing, plain = SealedClient(address), HttpClient(address)
            try:
                return await scenario(sealing, plain)
            finally:
                sealing.close()
                plain.close()

    return asyncio.run(run())


async def _echo(request: Request) -> Response:
    return Response(203, f"{request.method} {request.path} {dict(request.query)}".encode() + request.body)


async def _sealed_echo(request: Request) -> Response:
    return await answered(request, _echo)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_node_reads_what_another_has_sent_and_the_other_what_it_answers(method: str) -> None:
    async def scenario(sealing: SealedClient, plain: HttpClient) -> None:
        with_checksum = await sealing.request(method, ASKED, b"text", timeout_s=TIMEOUT_S)
        without = await plain.request(method, ASKED, b"text", timeout_s=TIMEOUT_S)
        assert (with_checksum.status, with_checksum.body) == (without.status, without.body) == (203, without.body)
        assert without.body.endswith(b"text")

    served(_sealed_echo, scenario)


def damaged_on_the_way(change: Callable[[Request], Request]) -> object:
    """What a node is told whose request a link has changed."""

    async def handler(request: Request) -> Response:
        return await answered(change(request), _echo)

    async def scenario(sealing: SealedClient, _: HttpClient) -> object:
        return await sealing.request("PUT", "/kv/k?read=1", b'{"value": "1"}', timeout_s=TIMEOUT_S)

    return served(handler, scenario)


@pytest.mark.parametrize(
    "change",
    [
        lambda request: replace(request, method="GET"),
        lambda request: replace(request, path="/kv/c"),
        lambda request: replace(request, query={"read": "3"}),
        lambda request: replace(request, query={}),
        lambda request: replace(request, body=flipped(request.body, 200)),
        lambda request: replace(request, body=b""),
        lambda request: replace(request, headers={}),
    ],
    ids=["method", "path", "query", "no query", "body", "no body", "no headers"],
)
def test_a_request_that_was_damaged_has_no_answer(change: Callable[[Request], Request]) -> None:
    with pytest.raises(BadAnswer, match="was damaged on its way"):
        damaged_on_the_way(change)


@pytest.mark.parametrize(
    "change",
    [
        lambda response: Response(200, response.body),
        lambda response: Response(203, flipped(response.body, 200)),
        lambda response: Response(203, response.body[:-1]),
    ],
    ids=["status", "body", "cut off"],
)
def test_an_answer_that_was_damaged_is_none(change: Callable[[Response], Response]) -> None:
    async def handler(request: Request) -> Response:
        return change(await answered(request, _echo))

    async def scenario(sealing: SealedClient, _: HttpClient) -> object:
        return await sealing.request("PUT", "/kv/k", b'{"value": "1"}', timeout_s=TIMEOUT_S)

    with pytest.raises(BadAnswer, match="was damaged on its way"):
        served(handler, scenario)


def test_an_answer_to_another_request_is_none() -> None:
    first: list[Request] = []

    async def handler(request: Request) -> Response:
        assert is_sealed(request)
        first.append(request)
        return answer_to(first[0], await _echo(opened(first[0])))

    async def scenario(sealing: SealedClient, _: HttpClient) -> None:
        await sealing.request("POST", "/", b"1", timeout_s=TIMEOUT_S)
        with pytest.raises(BadAnswer):
            await sealing.request("POST", "/", b"2", timeout_s=TIMEOUT_S)

    served(handler, scenario)


def corrupted(name: str, seed: int, *settings: str) -> dict[str, bool | None]:
    """The verdicts of the checks of a drill whose links flip bits."""
    drill = catalog.find_drill(name, settings).drill
    history = SimulatedRun(drill, plan(drill, seed), seed).carry_out().history
    found = {each.name: each.valid for each in check(history, (*drill.checks, *ALWAYS))}
    assert found[faults_acted.__name__]
    return found


@pytest.mark.parametrize("seed", [1, *map(left_to_ci, range(2, 6))])
@pytest.mark.parametrize(
    "name",
    [
        "raft/links_corrupt",
        left_to_ci("quorum/links_corrupt"),
        left_to_ci("strong/links_corrupt"),
        left_to_ci("eventual/links_corrupt"),
    ],
)
def test_nodes_agree_though_links_flip_bits(name: str, seed: int) -> None:
    assert set(corrupted(name, seed).values()) == {True}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "caught_by"),
    [("raft/links_corrupt", "log_matching"), ("strong/links_corrupt", "log_matching")],
)
def test_without_checksums_they_do_not(name: str, caught_by: str) -> None:
    assert corrupted(name, 1, "system.bug=checksum-ignored")[caught_by] is False
