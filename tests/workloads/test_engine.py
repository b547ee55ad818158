"""The load engine against small servers in this process: its counts match what happened."""

from __future__ import annotations

import itertools
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psutil
import pytest

from harness.model.load import Load
from harness.model.shapes import Steps
from tests.helpers.effort import left_to_ci
from workloads.load.engine import Engine, EngineTask, Exchange, Snapshot

GET = b"GET / HTTP/1.1\r\nHost: test\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@contextmanager
def serving(answer: Callable[[socket.socket, int], bool]) -> Iterator[tuple[str, int]]:
    """A server that calls `answer` with each batch of requests and its size, until that says to close."""

    def serve(client: socket.socket) -> None:
        with client:
            data = b""
            while received := client.recv(65536):
                data += received
                count = data.count(b"\r\n\r\n")
                data = data[data.rfind(b"\r\n\r\n") + 4 :] if count else data
                if count and not answer(client, count):
                    return

    def accept() -> None:
        while True:
            try:
                client = listener.accept()[0]
            except OSError:
                return
            threading.Thread(target=serve, args=(client,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=accept, daemon=True).start()
        yield listener.getsockname()
        listener.shutdown(socket.SHUT_RDWR)


def run(address: tuple[str, int], expected: tuple[bytes, ...] = (b"ok",), depth: int = 1, processes: int = 1) -> Snapshot:
    load = Load(rate=1000, seconds=0.2, clients=4, arrivals="constant")
    task = EngineTask(address=address, exchanges=[Exchange(GET, expected)], load=load, depth=depth, seed=1)
    with Engine(task, processes=processes) as engine:
        engine.start()
        return engine.wait()


def always(content: bytes, stay: bool = True) -> Callable[[socket.socket, int], bool]:
    def answer(client: socket.socket, count: int) -> bool:
        client.sendall(content * (count if stay else 1))
        return stay

    return answer


def reasons(snapshot: Snapshot) -> dict[str, int]:
    """The number of failed calls, by reason."""
    return {group.reason: group.calls for group in snapshot.failures}


@pytest.mark.parametrize(("depth", "processes"), [(1, 1), (8, 1), (1, 2)])
def test_every_call_is_made_once(depth: int, processes: int) -> None:
    with serving(always(OK)) as address:
        snapshot = run(address, depth=depth, processes=processes)
    assert (snapshot.due, snapshot.sent, snapshot.ok) == (200, 200, 200)
    assert snapshot.latency.count == snapshot.service.count == snapshot.send_lag.count == snapshot.read_lag.count == 200


@pytest.mark.parametrize("warm_up_s", [0.0, 0.2])
def test_what_the_engine_did_with_its_time_is_counted_from_the_loads_beginning(warm_up_s: float) -> None:
    load = Load(rate=1000, seconds=0.2, clients=4)
    with serving(always(OK)) as address:
        task = EngineTask(address=address, exchanges=[Exchange(GET)], load=load, seed=1, warm_up_s=warm_up_s)
        with Engine(task) as engine:
            engine.start()
            snapshot = engine.wait()
    assert 0 < snapshot.busy_s < 10  # not the hours since this machine started
    assert snapshot.queued_s + snapshot.saturated_s + snapshot.blocked_s < 30


def test_a_body_that_was_not_expected_is_wrong() -> None:
    with serving(always(OK)) as address:
        snapshot = run(address, expected=(b"no",))
    assert (snapshot.ok, snapshot.wrong) == (0, 200)


def test_failures_for_more_reasons_than_are_listed_are_counted() -> None:
    statuses = itertools.cycle(range(400, 500))

    def answer(client: socket.socket, count: int) -> bool:
        for _ in range(count):
            client.sendall(b"HTTP/1.1 %d No\r\nContent-Length: 0\r\n\r\n" % next(statuses))
        return True

    with serving(answer) as address:
        snapshot = run(address)
    assert "other reasons" in reasons(snapshot)
    assert sum(reasons(snapshot).values()) == snapshot.failed == 200


def test_another_status_is_failed() -> None:
    with serving(always(b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n")) as address:
        snapshot = run(address)
    assert (snapshot.failed, reasons(snapshot)) == (200, {"status 503": 200})


def test_chunks_are_put_together() -> None:
    with serving(always(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\no\r\n1\r\nk\r\n0\r\n\r\n")) as address:
        assert run(address).ok == 200


def test_connections_that_close_are_replaced() -> None:
    with serving(always(OK.replace(b"OK\r\n", b"OK\r\nConnection: close\r\n"), stay=False)) as address:
        snapshot = run(address)
    assert snapshot.due == snapshot.ok + snapshot.failed + snapshot.unknown == 200
    assert snapshot.ok


def test_calls_to_a_missing_server_fail() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = listener.getsockname()
    snapshot = run(address)
    assert (snapshot.due, snapshot.sent, snapshot.failed) == (200, 0, 200)


def test_its_processes_can_be_looked_at() -> None:
    load = Load(rate=400, seconds=0.1, clients=4)
    with serving(always(OK)) as address:
        task = EngineTask(address=address, exchanges=[Exchange(GET)], load=load, seed=1)
        with Engine(task, processes=2) as engine:
            assert len(engine.pids) == 2
            assert {child.pid for child in psutil.Process().children()} >= set(engine.pids)


@pytest.mark.parametrize("processes", [left_to_ci(1), 2])
def test_a_load_keeps_to_its_shape(processes: int) -> None:
    load = Load(rate=400, seconds=0.6, clients=4, arrivals="constant", shape=Steps(factors=(0.0, 1.0, 2.0), every_s=0.2))
    with serving(always(OK)) as address:
        task = EngineTask(address=address, exchanges=[Exchange(GET)], load=load, seed=1, warm_up_s=0.1)
        with Engine(task, processes=processes) as engine:
            engine.start()
            assert engine.wait().ok == 80 + 160
