"""How calls, loads and the engine's own processes end."""

from __future__ import annotations

import contextlib
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from harness.model.errors import UsageError
from harness.model.load import Load
from harness.model.shapes import Replay
from tests.helpers.effort import left_to_ci
from tests.workloads.test_engine import GET, OK, always, reasons, serving
from workloads.load.engine import Engine, EngineTask, Exchange

HEAD = b"HEAD / HTTP/1.1\r\nHost: test\r\n\r\n"


def task(
    address: tuple[str, int],
    *,
    rate: float = 200,
    seconds: float = 0.2,
    request: bytes = GET,
    expected: tuple[bytes, ...] = (b"ok",),
    timeout_ms: float = 1000,
    warm_up_s: float = 0,
    depth: int = 1,
    clients: int = 2,
) -> EngineTask:
    load = Load(rate=rate, seconds=seconds, clients=clients, arrivals="constant", timeout_ms=timeout_ms)
    exchanges = [Exchange(request, expected)]
    return EngineTask(address=address, exchanges=exchanges, load=load, seed=1, warm_up_s=warm_up_s, depth=depth)


def workers() -> list[psutil.Process]:
    return [child for child in psutil.Process().children() if "workloads.load.engine.worker" in child.cmdline()]


@pytest.mark.parametrize("depth", [1, 4])
def test_calls_without_an_answer_in_time_are_unknown(depth: int) -> None:
    with serving(lambda client, count: True) as address, Engine(task(address, timeout_ms=50, depth=depth)) as engine:
        engine.start()
        counted = engine.wait()
    assert counted.due == 40
    assert counted.ok == counted.wrong == 0
    assert counted.unknown == counted.sent >= 4
    assert counted.failed == counted.due - counted.sent
    assert counted.latency.above(49e6) >= reasons(counted)["no answer in time"] >= 2
    assert (reasons(counted)["no answer in time"] < counted.unknown) is (depth > 1)


def test_calls_without_a_free_client_fail_when_the_load_has_ended() -> None:
    with serving(lambda client, count: True) as address, Engine(task(address, timeout_ms=150)) as engine:
        engine.start()
        counted = engine.wait()
    unsent = counted.due - counted.sent
    assert reasons(counted)["not sent: no connection was free to the end"] == unsent > 0
    assert counted.latency.count == counted.unanswered.count == unsent + counted.unknown
    assert (counted.latency.percentile_ns(50) or 0) >= 150e6  # they waited for longer than a timeout


def test_answers_that_come_in_pieces_are_put_together() -> None:
    def answer(client: socket.socket, count: int) -> bool:
        for byte in OK * count:
            client.sendall(bytes([byte]))
        return True

    with serving(answer) as address, Engine(task(address, depth=4)) as engine:
        engine.start()
        assert engine.wait().ok == 40


def test_requests_larger_than_the_kernel_takes_at_once_arrive_whole() -> None:
    got: list[int] = []
    body = b"x" * 4_000_000
    request = b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: %d\r\n\r\n" % len(body) + body + b"\r\n\r\n"

    def answer(client: socket.socket, count: int) -> bool:
        got.append(count)
        if sum(got) % 2 == 0:  # the end of the headers, the end of the body
            client.sendall(OK)
        return True

    with serving(answer) as address, Engine(task(address, rate=10, clients=1, request=request)) as engine:
        engine.start()
        assert engine.wait().ok == 2


def test_a_server_that_answers_before_it_has_read_a_request_keeps_no_connection_from_the_next_call() -> None:
    body = b"x" * 8_000_000
    request = b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    over = threading.Event()

    def answer(client: socket.socket, count: int) -> bool:
        client.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
        over.wait()  # with the connection open, and the rest unread
        return False

    with serving(answer) as address, Engine(task(address, rate=20, clients=1, request=request)) as engine:
        engine.start()
        assert reasons(engine.wait()) == {"status 413": 4}
    over.set()


@pytest.mark.parametrize("most", [left_to_ci(0), 2])
def test_a_server_that_takes_no_more_connections_is_not_flooded_with_them(most: int) -> None:
    accepted: list[socket.socket] = []

    def serve(client: socket.socket) -> None:
        while client.recv(65536):
            client.sendall(OK)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                accepted.append(listener.accept()[0])
                if len(accepted) <= most:
                    threading.Thread(target=serve, args=(accepted[-1],), daemon=True).start()
                else:
                    accepted[-1].close()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=accept, daemon=True).start()
        begun_s = time.monotonic()
        with Engine(task(listener.getsockname(), rate=50, seconds=0.6, clients=6)) as engine:
            engine.start()
            counted = engine.wait()
        attempts = 6 * (1 + (time.monotonic() - begun_s) / 0.05)
        listener.shutdown(socket.SHUT_RDWR)
    assert len(accepted) <= attempts + counted.sent  # a connection that was used is replaced at once
    assert counted.due == counted.ok + counted.failed + counted.unknown == 30
    assert (counted.ok > 0) is (most > 0)


def test_interim_answers_are_passed_over() -> None:
    with serving(always(b"HTTP/1.1 100 Continue\r\n\r\n" + OK)) as address, Engine(task(address, depth=2)) as engine:
        engine.start()
        assert engine.wait().ok == 40


def test_an_answer_to_head_has_no_body_whatever_its_length_says() -> None:
    content = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"
    with serving(always(content)) as address, Engine(task(address, request=HEAD, expected=(), depth=2)) as engine:
        engine.start()
        assert engine.wait().ok == 40


def test_a_body_may_end_with_the_connection() -> None:
    content = b"HTTP/1.1 200 OK\r\n\r\nok"
    with serving(always(content, stay=False)) as address, Engine(task(address, rate=50)) as engine:
        engine.start()
        counted = engine.wait()
    assert (counted.ok, counted.unknown) == (10, 0)


@pytest.mark.parametrize("content", [b"hello\r\n\r\n", OK + OK])
def test_what_cannot_be_read_is_unknown_and_said(content: bytes) -> None:
    with serving(always(content)) as address, Engine(task(address, rate=50)) as engine:
        engine.start()
        counted = engine.wait()
    assert counted.ok + counted.unknown == counted.sent
    assert counted.ok + counted.unknown + counted.failed == counted.due == 10
    assert any(text.startswith("answer cannot be read: ") for text in reasons(counted)) or content == OK + OK


def test_what_came_before_an_answer_that_cannot_be_read_counts_once() -> None:
    waiting = 0

    def answer(client: socket.socket, count: int) -> bool:
        nonlocal waiting
        waiting += count
        if waiting == 4:
            waiting = 0
            client.sendall(OK + OK.replace(b"ok", b"no") + OK + b"hello\r\n\r\n")
        return True

    with serving(answer) as address, Engine(task(address, rate=1000, seconds=0.04, clients=1, depth=4)) as engine:
        engine.start()
        counted = engine.wait()
    assert counted.due == counted.sent + counted.failed == 40
    assert counted.wrong == reasons(counted)["the body does not begin as expected"] >= 1
    assert counted.ok == 2 * counted.wrong
    assert counted.unknown == counted.sent - 3 * counted.wrong >= 1


def test_the_warm_up_is_sent_and_not_counted() -> None:
    calls: list[int] = []

    def answer(client: socket.socket, count: int) -> bool:
        calls.append(count)
        client.sendall(OK * count)
        return True

    with serving(answer) as address, Engine(task(address, warm_up_s=0.3)) as engine:
        engine.start()
        counted = engine.wait()
    assert (counted.due, counted.sent, counted.ok, counted.latency.count, counted.send_lag.count) == (40, 40, 40, 40, 40)
    assert counted.seconds == pytest.approx(0.2)
    assert sum(calls) == 100


def test_a_stop_in_the_warm_up_leaves_nothing_counted() -> None:
    with serving(always(OK)) as address, Engine(task(address, warm_up_s=60)) as engine:
        engine.start()
        counted = engine.stop()
    assert (counted.due, counted.sent, counted.seconds, counted.finished) == (0, 0, 0.0, True)


def test_a_stop_ends_the_load_with_every_call_accounted_for() -> None:
    called = threading.Event()

    def answer(client: socket.socket, count: int) -> bool:
        called.set()
        client.sendall(OK * count)
        return True

    with serving(answer) as address, Engine(task(address, seconds=600)) as engine:
        engine.start()
        assert called.wait(30)
        counted = engine.stop()
        assert engine.stop().ok == counted.ok  # again: the processes have ended
    assert counted.due == counted.ok >= 1
    assert counted.seconds < 600


@pytest.mark.parametrize("processes", [1, left_to_ci(2)])
def test_the_rate_can_be_changed_under_way(processes: int) -> None:
    with serving(always(OK)) as address, Engine(task(address, rate=0.1, seconds=600), processes=processes) as engine:
        engine.start()
        engine.set_rate(1000)
        while engine.snapshot().ok < 50:  # at the first rate, eight minutes
            time.sleep(0.01)
        counted = engine.stop()
    assert counted.due == counted.ok


def test_a_replay_has_no_rate_to_change(tmp_path: Path) -> None:
    file = tmp_path / "times"
    file.write_text("0.1\n")
    load = Load(rate=1, seconds=1, shape=Replay(file=str(file)))
    with pytest.raises(UsageError, match="replay"):
        Engine(EngineTask(address=("127.0.0.1", 1), exchanges=[Exchange(GET)], load=load, seed=1)).set_rate(5)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_process_that_ends_early_is_an_error(number: signal.Signals) -> None:
    with serving(always(OK)) as address, Engine(task(address, seconds=600)) as engine:
        engine.start()
        (worker,) = workers()
        worker.send_signal(number)
        with pytest.raises(RuntimeError, match="ended before"):
            engine.wait()
    assert not workers()


@pytest.mark.slow
def test_the_soft_limit_of_open_files_does_not_count() -> None:
    """Shells set it low. `fits` refuses a load by the hard limit alone."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with serving(always(OK)) as address, contextlib.ExitStack() as stack:
        low = len(list(Path("/proc/self/fd").iterdir())) + 40
        resource.setrlimit(resource.RLIMIT_NOFILE, (low, hard))
        try:
            engine = stack.enter_context(Engine(task(address, clients=low + 36)))
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        engine.start()
        assert engine.wait().ok == 40


@pytest.mark.slow
def test_the_engine_ends_with_its_parent() -> None:
    source = f"""
from harness.model.load import Load
from workloads.load.engine import Engine, EngineTask, Exchange
load = Load(rate=1, seconds=600)
with Engine(EngineTask(address=("127.0.0.1", 1), exchanges=[Exchange({GET!r})], load=load, seed=1)) as engine:
    engine.start()
    print("started", flush=True)
    engine.wait()
"""
    parent = subprocess.Popen([sys.executable, "-c", source], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert parent.stdout is not None
    assert parent.stdout.readline() == b"started\n"
    children = psutil.Process(parent.pid).children()
    assert children
    parent.kill()
    parent.wait()
    assert not psutil.wait_procs(children, timeout=30)[1]
