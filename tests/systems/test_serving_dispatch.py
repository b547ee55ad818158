"""The fate of a request while replicas answer, refuse, break off, hang and are gone: on real connections."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from random import Random

import pytest

from harness.cluster.ports import HOST, reserved
from harness.http.client import HttpClient
from harness.http.message import Request, Response
from harness.http.server import listen
from harness.model.system import Address
from systems.parts.retry_budget import RetryBudget
from systems.serving.admission import Admission
from systems.serving.dispatch import Dispatcher
from systems.serving.health import CHECK_TIMEOUT_S, HealthChecker
from systems.serving.policy import Pool
from systems.serving.settings import Settings
from tests.helpers.asking import Answer, ask


class Replica:
    """A replica that behaves as the test says: "well", "error", "refuses", "bad request", "hangs", "breaks"."""

    def __init__(self, name: str, manner: str) -> None:
        self.name = name
        self.manner = manner
        self.asked: list[bytes] = []
        self._server: asyncio.Server | None = None

    async def listen(self) -> Address:
        self._server = await listen(self._handle, (HOST, 0))
        host, port = self._server.sockets[0].getsockname()
        return host, port

    def close(self) -> None:
        assert self._server is not None
        self._server.close()

    async def _handle(self, request: Request) -> Response:
        if request.path == "/predict":
            self.asked.append(request.body)
        match self.manner:
            case "well":
                return Response(200, b"%s from %s" % (request.body, self.name.encode()))
            case "error":
                return Response(500, b"broken model")
            case "refuses":
                return Response(503, b"draining")
            case "bad request":
                return Response(400, b"no such image")
            case "hangs":
                await asyncio.Event().wait()
        raise ValueError(self.manner)


class Patient(Dispatcher):
    """Gives a busy machine time to answer, so that only a replica that hangs is taken for one."""

    TRY_TIMEOUT_S = 1.0


@contextlib.asynccontextmanager
async def serving(manners: Mapping[str, str]) -> AsyncIterator[tuple[Dispatcher, Pool, dict[str, Replica], list[str]]]:
    """A dispatcher in front of replicas; "gone" ones have a port on which no process listens, "breaks" accept and close."""
    replicas = {name: Replica(name, manner) for name, manner in manners.items()}
    log: list[str] = []
    async with contextlib.AsyncExitStack() as stack:
        addresses: dict[str, Address] = {}
        for name, replica in replicas.items():
            if replica.manner == "gone":
                addresses[name] = (HOST, stack.enter_context(reserved(1))[0])
            elif replica.manner == "breaks":
                breaker = await asyncio.start_server(lambda _, writer: writer.close(), HOST, 0)
                stack.callback(breaker.close)
                addresses[name] = breaker.sockets[0].getsockname()
            else:
                addresses[name] = await replica.listen()
                stack.callback(replica.close)
        pool = Pool(list(manners), Settings(strategy="round-robin"))
        yield Patient(pool, addresses, log.append, Admission(None), RetryBudget(None)), pool, replicas, log


def predict(manners: Mapping[str, str], requests: int = 1) -> tuple[list[Answer], dict[str, Replica], list[str]]:
    """Send requests one after another: their answers, the replicas, the log."""

    async def scenario() -> tuple[list[Answer], dict[str, Replica], list[str]]:
        async with serving(manners) as (dispatcher, _, replicas, log):
            answers = [await ask(dispatcher, b"image %d" % number) for number in range(requests)]
            return [answer for (answer,) in answers], replicas, log

    return asyncio.run(scenario())


def test_passes_on_what_a_replica_answers() -> None:
    (answer,), _, _ = predict({"r1": "well"})
    assert answer == (200, b"image 0 from r1")


def test_takes_turns() -> None:
    responses, _, _ = predict({"r1": "well", "r2": "well", "r3": "well"}, requests=6)
    assert [response.body[-2:] for response in responses] == [b"r1", b"r2", b"r3"] * 2


@pytest.mark.slow
def test_asks_another_replica_where_one_fails() -> None:
    for manner in ("gone", "breaks", "error", "refuses", "hangs"):
        responses, replicas, log = predict({"r1": manner, "r2": "well"}, requests=6)
        assert [response.body for response in responses] == [b"image %d from r2" % number for number in range(6)], manner
        assert len(replicas["r1"].asked) <= 3, manner  # then it was down, and not asked any more
        assert [line for line in log if line.startswith("r1 is down")], manner


def test_never_asks_one_replica_twice_about_one_request() -> None:
    (response,), replicas, _ = predict({"r1": "error", "r2": "error", "r3": "error", "r4": "well"})
    assert response.status == 503
    assert [replica.asked for replica in replicas.values()] == [[b"image 0"]] * 3 + [[]]


def test_a_refused_request_is_not_the_replicas_failure() -> None:
    responses, replicas, log = predict({"r1": "bad request", "r2": "bad request"}, requests=10)
    assert [(response.status, response.body) for response in responses] == [(400, b"no such image")] * 10
    assert [len(replica.asked) for replica in replicas.values()] == [5, 5]
    assert log == []


def test_says_why_no_replica_answered() -> None:
    (response,), _, _ = predict({"r1": "error", "r2": "breaks"})
    assert response.status == 503
    assert response.body == (b"no replica answered (r1: answered 500; r2: the connection ended before the answer)")


def test_says_when_none_is_up() -> None:
    async def scenario() -> list[Answer]:
        async with serving({"r1": "well"}) as (dispatcher, pool, _, _):
            for _ in range(3):
                pool.check_failed("r1", "no answer", 0.0)
            return await ask(dispatcher, b"image")

    assert asyncio.run(scenario()) == [(503, b"no replica answered (none is up)")]


def test_concurrent_requests_get_their_own_answers_while_replicas_fail() -> None:
    async def scenario() -> list[list[Answer]]:
        async with serving({"r1": "error", "r2": "well", "r3": "breaks", "r4": "well"}) as (dispatcher, _, _, _):
            return await asyncio.gather(*(ask(dispatcher, b"image %d," % number) for number in range(100)))

    for number, (response,) in enumerate(asyncio.run(scenario())):
        assert response.status == 200
        assert response.body.startswith(b"image %d, from" % number)


@pytest.mark.slow
def test_an_answer_that_comes_too_late_belongs_to_no_request() -> None:
    """A replica that answers after the try was given up: its answer must not be taken for the next request's."""

    async def scenario() -> list[bytes]:
        slow_asked: list[bytes] = []

        async def late(request: Request) -> Response:
            slow_asked.append(request.body)
            await asyncio.sleep(1.5 * Patient.TRY_TIMEOUT_S)
            return Response(200, b"late answer to " + request.body)

        server = await listen(late, (HOST, 0))
        quick = Replica("quick", "well")
        dispatcher = Patient(
            Pool(["late", "quick"], Settings(strategy="round-robin")),
            {"late": server.sockets[0].getsockname(), "quick": await quick.listen()},
            lambda _: None,
            Admission(None),
            RetryBudget(None),
        )
        try:
            answers = [await ask(dispatcher, b"%d" % number) for number in range(10)]
        finally:
            server.close()
            quick.close()
        assert slow_asked
        return [answer.body for (answer,) in answers]

    assert asyncio.run(scenario()) == [b"%d from quick" % number for number in range(10)]


# --------------------------------------------------------------------------------------------------------------- health


async def until(pool: Pool, up: list[str]) -> None:
    async with asyncio.timeout(10):
        while [replica.name for replica in pool.status(0.0) if replica.up] != up:
            await asyncio.sleep(0.01)


@pytest.mark.slow
def test_the_checker_takes_replicas_down_and_up() -> None:
    async def scenario() -> list[str]:
        log: list[str] = []
        replicas = {name: Replica(name, "well") for name in ("r1", "r2", "r3")}
        clients = {name: HttpClient(await replica.listen()) for name, replica in replicas.items()}
        pool = Pool(list(replicas))
        checker = HealthChecker(pool, clients, log.append, Random(1))
        running = asyncio.create_task(checker.run())
        try:
            await asyncio.wait_for(checker.all_up_once(), 10)
            replicas["r2"].manner = "refuses"
            await until(pool, ["r1", "r3"])
            replicas["r2"].manner = "well"
            await until(pool, ["r1", "r2", "r3"])
            for replica in replicas.values():
                replica.manner = "hangs"
            await until(pool, [])
            for replica in replicas.values():
                replica.manner = "well"
            await until(pool, ["r1", "r2", "r3"])
            assert not running.done()
        finally:
            running.cancel()
            for name, replica in replicas.items():
                clients[name].close()
                replica.close()
        return log

    log = asyncio.run(scenario())
    assert log[0] == "r2 is down: its health checks fail, the last one so: 503 draining"
    assert log[1] == "r2 is up again"
    assert any(f"no answer within {CHECK_TIMEOUT_S:g} s" in line for line in log[2:])


def test_an_error_in_the_checker_itself_is_not_hidden() -> None:
    class Broken(HealthChecker):
        async def check(self, name: str) -> str | None:
            raise ZeroDivisionError

    async def scenario() -> None:
        checker = Broken(Pool(["r1"]), {"r1": HttpClient((HOST, 1))}, lambda _: None, Random(1))
        await checker.run()

    with pytest.raises(ExceptionGroup) as caught:
        asyncio.run(scenario())
    assert caught.group_contains(ZeroDivisionError)
