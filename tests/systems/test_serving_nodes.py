"""Replica and balancer as whole nodes, on real connections inside this process."""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from harness.cluster.ports import HOST, reserved
from harness.http.client import HttpClient
from harness.http.message import Request, Response, Unreachable
from harness.http.server import listen
from harness.model.system import Address, Answer, Call, CallFailed
from harness.node.context import NodeContext, NodeSpec
from systems.serving import Serving, artifacts, balancer, health, replica
from systems.serving.client import PredictClient, UnexpectedStatus
from systems.serving.dispatch import Dispatcher
from systems.serving.messages import BalancerStatus, Prediction, PredictReply, PredictRequest
from systems.serving.model import Classifier

Main = Callable[[NodeContext], Awaitable[None]]


@pytest.fixture(scope="module")
def folder() -> Path:
    Serving().prepare()
    return artifacts.folder()


@pytest.fixture
def ports() -> Iterator[list[int]]:
    with reserved(4) as found:
        yield found


@contextlib.asynccontextmanager
async def running(
    name: str, main: Main, port: int, tmp_path: Path, config: dict[str, object], peers: dict[str, Address] | None = None
) -> AsyncIterator[tuple[HttpClient, asyncio.Task[None]]]:
    """A node, when it answers; cancelled at the end, as SIGTERM does."""
    spec = NodeSpec(
        name=name, start=0, host=HOST, port=port, data=str(tmp_path / name), log="", seed=1, peers=peers or {}, config=config
    )

    async def run() -> None:
        await main(NodeContext(spec))

    task, client = asyncio.create_task(run()), HttpClient((HOST, port))
    try:
        async with asyncio.timeout(20):
            while True:
                try:
                    await client.request("GET", "/-/node", timeout_s=5)
                    break
                except Unreachable:
                    if task.done():
                        await task
                    await asyncio.sleep(0.005)
        yield client, task
    finally:
        client.close()
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


@contextlib.asynccontextmanager
async def replica_node(folder: Path, port: int, tmp_path: Path, name: str = "r1", **config: str) -> AsyncIterator[HttpClient]:
    settings: dict[str, object] = {"folder": str(folder), "weights": artifacts.WEIGHTS, **config}
    async with running(name, replica.main, port, tmp_path, settings) as (client, _):
        yield client


def body(digit: artifacts.Digit) -> bytes:
    return msgspec.json.encode(PredictRequest(digit.pixels))


async def predict(client: HttpClient, digit: artifacts.Digit) -> PredictReply:
    response = await client.request("POST", "/predict", body(digit), timeout_s=10)
    assert response.status == 200, response
    return response.decode(PredictReply)


# -------------------------------------------------------------------------------------------------------------- replica


def test_a_replica_answers_as_the_model_does(folder: Path, ports: list[int], tmp_path: Path) -> None:
    digits = artifacts.digits(folder)[:200]

    async def scenario() -> list[PredictReply]:
        async with replica_node(folder, ports[0], tmp_path) as client:
            one_by_one = [await predict(client, digit) for digit in digits[:20]]
            together = await asyncio.gather(*(predict(client, digit) for digit in digits[20:]))
            return one_by_one + together

    replies = asyncio.run(scenario())
    assert [Prediction(reply.label, reply.score) for reply in replies] == [digit.answer for digit in digits]
    assert {reply.node for reply in replies} == {"r1"}
    assert len({reply.model for reply in replies}) == 1


NO_IMAGES = (
    b"",
    b"{}",
    b"not JSON",
    b'{"pixels":[]}',
    b'{"pixels":' + msgspec.json.encode([0.0] * 63) + b"}",
    b'{"pixels":' + msgspec.json.encode([0.0] * 65) + b"}",
    b'{"pixels":' + msgspec.json.encode([0.0] * 63 + [16.5]) + b"}",
    b'{"pixels":' + msgspec.json.encode([0.0] * 63 + [-1.0]) + b"}",
    b'{"pixels":' + msgspec.json.encode(["0"] * 64) + b"}",
    b'{"pixels":' + msgspec.json.encode([None] * 64) + b"}",
    b'{"pixels":' + b"[1e999" + b",0" * 63 + b"]}",
    b'{"more":' + b"[" * 20_000 + b"]" * 20_000 + b"}",
)


def test_a_replica_refuses_what_is_no_image(folder: Path, ports: list[int], tmp_path: Path) -> None:
    async def scenario() -> list[tuple[Response, PredictReply]]:
        async with replica_node(folder, ports[0], tmp_path) as client:
            image = artifacts.digits(folder)[0]
            return [
                (await client.request("POST", "/predict", sent, timeout_s=10), await predict(client, image))
                for sent in NO_IMAGES
            ]

    for sent, (refused, after) in zip(NO_IMAGES, asyncio.run(scenario()), strict=True):
        assert refused.status == 400, sent[:80]
        assert refused.body.startswith(b"bad request body: "), sent[:80]
        assert math.isfinite(after.score), sent[:80]


def test_a_replica_knows_its_routes(folder: Path, ports: list[int], tmp_path: Path) -> None:
    async def scenario() -> list[int]:
        async with replica_node(folder, ports[0], tmp_path) as client:
            asked = [("GET", "/healthz"), ("GET", "/predict"), ("POST", "/healthz"), ("GET", "/")]
            return [(await client.request(method, path, timeout_s=10)).status for method, path in asked]

    assert asyncio.run(scenario()) == [200, 404, 404, 404]


def test_the_health_check_runs_the_model(
    folder: Path, ports: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Classifier, "predict", lambda _, images: [Prediction(label=3, score=1.0) for _ in images])

    async def scenario() -> Response:
        async with replica_node(folder, ports[0], tmp_path) as client:
            return await client.request("GET", "/healthz", timeout_s=10)

    response = asyncio.run(scenario())
    assert (response.status, response.body) == (503, b"sees 3 in an image of 0")


def test_a_replica_told_to_end_drains(folder: Path, ports: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not well for health checks, no new connections, but every prediction on an open connection is still answered."""
    monkeypatch.setattr(replica, "QUIET_S", 0.05)
    digit = artifacts.digits(folder)[5]
    config: dict[str, object] = {"folder": str(folder), "weights": artifacts.WEIGHTS}

    async def scenario() -> None:
        async with running("r1", replica.main, ports[0], tmp_path, config) as (client, task):
            await predict(client, digit)
            task.cancel()
            health = await client.request("GET", "/healthz", timeout_s=10)
            assert (health.status, health.body) == (503, b"draining")
            reply = await predict(client, digit)
            assert reply.label == digit.answer.label
            newcomer = HttpClient((HOST, ports[0]))
            with pytest.raises(Unreachable):
                await newcomer.request("GET", "/healthz", timeout_s=10)
            with pytest.raises(asyncio.CancelledError):
                await asyncio.wait_for(task, 10)

    asyncio.run(scenario())


def test_draining_ends_though_predictions_keep_coming(
    folder: Path, ports: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replica, "DRAIN_S", 0.3)
    digit = artifacts.digits(folder)[5]
    config: dict[str, object] = {"folder": str(folder), "weights": artifacts.WEIGHTS}

    async def scenario() -> int:
        answered = 0
        async with running("r1", replica.main, ports[0], tmp_path, config) as (client, task):
            task.cancel()
            while not task.done():
                await predict(client, digit)
                answered += 1
        return answered

    assert asyncio.run(scenario()) > 0


# ------------------------------------------------------------------------------------------------------------- balancer


@contextlib.asynccontextmanager
async def system(folder: Path, ports: list[int], tmp_path: Path) -> AsyncIterator[HttpClient]:
    """Three replicas behind a balancer."""
    async with contextlib.AsyncExitStack() as stack:
        peers: dict[str, Address] = {}
        for number, port in enumerate(ports[1:], start=1):
            await stack.enter_async_context(replica_node(folder, port, tmp_path, f"r{number}"))
            peers[f"r{number}"] = (HOST, port)
        client, _ = await stack.enter_async_context(
            running("balancer", balancer.main, ports[0], tmp_path, {"bug": None, "settings": {}}, peers)
        )
        yield client


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """All nodes share one loop here, which a busy machine may delay: that must not look like a death, nor prolong draining."""
    monkeypatch.setattr(Dispatcher, "TRY_TIMEOUT_S", 10.0)
    monkeypatch.setattr(health, "CHECK_TIMEOUT_S", 10.0)
    monkeypatch.setattr(replica, "QUIET_S", 0.0)


@pytest.mark.usefixtures("patient")
def test_a_balancer_spreads_and_reports(folder: Path, ports: list[int], tmp_path: Path) -> None:
    digits = artifacts.digits(folder)[:300]

    async def scenario() -> tuple[list[PredictReply], BalancerStatus]:
        async with system(folder, ports, tmp_path) as client:
            at_once = await asyncio.gather(*(predict(client, digit) for digit in digits))
            in_turn = [await predict(client, digit) for digit in digits]  # what comes at once may go to one replica
            assert all(sum(reply.node == name for reply in in_turn) > 60 for name in ("r1", "r2", "r3"))
            status = (await client.request("GET", "/status", timeout_s=10)).decode(BalancerStatus)
            assert (await client.request("GET", "/", timeout_s=10)).status == 404
            return at_once + in_turn, status

    replies, status = asyncio.run(scenario())
    assert [Prediction(reply.label, reply.score) for reply in replies] == [digit.answer for digit in digits] * 2
    assert [(seen.name, seen.up) for seen in status.replicas] == [("r1", True), ("r2", True), ("r3", True)]
    assert sum(seen.answered for seen in status.replicas) == 600
    assert [sum(reply.node == seen.name for reply in replies) for seen in status.replicas] == [
        seen.answered for seen in status.replicas
    ]
    assert all(seen.outstanding == 0 for seen in status.replicas)


@pytest.mark.usefixtures("patient")
def test_a_balancer_passes_a_refusal_on(folder: Path, ports: list[int], tmp_path: Path) -> None:
    async def scenario() -> Response:
        async with system(folder, ports, tmp_path) as client:
            return await client.request("POST", "/predict", b'{"pixels":[1]}', timeout_s=10)

    response = asyncio.run(scenario())
    assert response.status == 400
    assert b"length >= 64" in response.body


def test_a_balancer_dies_with_its_checker(ports: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A balancer that does not see its replicas any more must not look well."""

    async def broken(_: object, __: str) -> str | None:
        raise ZeroDivisionError

    monkeypatch.setattr("systems.serving.health.HealthChecker.check", broken)

    async def scenario() -> None:
        async with running(
            "balancer", balancer.main, ports[0], tmp_path, {"bug": None, "settings": {}}, {"r1": (HOST, ports[1])}
        ):
            raise AssertionError("it serves")

    with pytest.raises(ExceptionGroup) as caught:
        asyncio.run(scenario())
    assert caught.group_contains(ZeroDivisionError)


# --------------------------------------------------------------------------------------------------- client and workload


def invoke(folder: Path, answer: Response, call: Call) -> object:
    """What the client makes of a balancer's answer: its own answer, or the error it raised."""

    async def scenario() -> object:
        async def handle(_: Request) -> Response:
            return answer

        server = await listen(handle, (HOST, 0))
        client = PredictClient(folder, server.sockets[0].getsockname())
        try:
            return await client.invoke(call)
        except (CallFailed, UnexpectedStatus) as error:
            return error
        finally:
            await client.close()
            server.close()

    return asyncio.run(scenario())


CALL = Call(kind="predict", key="3")


def test_the_client_keeps_label_score_and_node(folder: Path) -> None:
    reply = PredictReply(label=7, score=0.9981, model="d8896f2d", node="r2")
    answer = invoke(folder, Response.json(reply), CALL)
    assert answer == Answer('{"label":7,"score":0.9981}', "r2")


def test_the_client_leaves_a_garbled_answer_to_the_checker(folder: Path) -> None:
    assert invoke(folder, Response(200, b"<html>"), CALL) == Answer("<html>", "")


def test_the_client_says_who_gave_an_answer_that_is_no_prediction(folder: Path) -> None:
    """As a model's does whose weights are damaged: JSON has no word for a number that is none."""
    body = b'{"label":7,"score":null,"model":"d8896f2d","node":"r2"}'
    assert invoke(folder, Response(200, body), CALL) == Answer(body.decode(), "r2")


def test_a_refusal_surely_had_no_effect(folder: Path) -> None:
    error = invoke(folder, Response(503, b"none is up"), CALL)
    assert isinstance(error, CallFailed)
    assert str(error) == "none is up"


@pytest.mark.parametrize("status", [400, 404, 500, 502])
def test_any_other_status_is_unknown(folder: Path, status: int) -> None:
    error = invoke(folder, Response(status, b"what?"), CALL)
    assert isinstance(error, UnexpectedStatus)
    assert str(error) == f"{status} what?"


def test_no_connection_surely_had_no_effect(folder: Path, ports: list[int]) -> None:
    async def scenario() -> None:
        with pytest.raises(CallFailed, match="no connection"):
            await PredictClient(folder, (HOST, ports[0])).invoke(CALL)

    asyncio.run(scenario())


def test_the_client_sends_the_image_that_the_key_names(folder: Path) -> None:
    seen: list[bytes] = []

    async def scenario() -> None:
        async def handle(request: Request) -> Response:
            seen.append(request.body)
            return Response.json(PredictReply(label=0, score=1.0, model="", node=""))

        server = await listen(handle, (HOST, 0))
        client = PredictClient(folder, server.sockets[0].getsockname())
        await client.invoke(Call(kind="predict", key="1796"))
        await client.close()
        server.close()

    asyncio.run(scenario())
    assert seen == [body(artifacts.digits(folder)[1796])]
