"""What the kernel shows of programs that do not report about themselves."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import pytest

from harness.cluster.sockets import Sockets, sockets_of

DEADLINE_S = 60.0
"""Far above what anything here takes, so that a busy machine does not decide."""

LISTENS = """
import os, socket, sys
server = socket.create_server(("127.0.0.1", 0))
if sys.argv[1] == "below" and os.fork():  # a child serves
    os.wait()
print(server.getsockname()[1], flush=True)
kept = []
while True:
    connection, _ = server.accept()
    connection.sendall(b"!")
    if sys.argv[2] == "keeps":
        kept.append(connection)
    else:
        connection.recv(1)  # empty, once the client has closed
        connection.close()
"""

DIALS = """
import socket, sys, time
kept = [socket.create_connection(("127.0.0.1", int(sys.argv[1]))) for _ in range(3)]
print("there", flush=True)
time.sleep(600)
"""


@contextmanager
def program(text: str, *arguments: str) -> Iterator[tuple[int, str]]:
    """Its pid and the first line that it prints."""
    process = subprocess.Popen(
        [sys.executable, "-c", text, *arguments], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        assert process.stdout is not None
        yield process.pid, process.stdout.readline().strip()
    finally:
        os.killpg(process.pid, 9)
        process.communicate()


def seen(pid: int, wanted: Callable[[Sockets], bool]) -> Sockets:
    """What is seen once it is as `wanted`, or at last."""
    give_up_s = time.monotonic() + DEADLINE_S
    while True:
        found = sockets_of(pid)
        assert found is not None
        if wanted(found) or time.monotonic() > give_up_s:
            return found


@pytest.mark.parametrize("place", ["itself", "below"])
def test_connections_that_only_the_client_closed_are_abandoned(place: str) -> None:
    with program(LISTENS, place, "keeps") as (pid, port):
        before = seen(pid, lambda found: found.sockets == 1)
        assert (before.sockets, before.abandoned) == (1, 0)
        with ExitStack() as clients:
            for _ in range(3):
                assert clients.enter_context(socket.create_connection(("127.0.0.1", int(port)))).recv(1) == b"!"
            during = seen(pid, lambda found: found.sockets == 4)
            assert (during.sockets, during.abandoned) == (4, 0)
        after = seen(pid, lambda found: found.abandoned == 3)
        assert (after.sockets, after.abandoned) == (4, 3)
        assert after.descriptors == before.descriptors + 3


def test_connections_that_both_sides_closed_are_gone() -> None:
    with program(LISTENS, "itself", "closes") as (pid, port):
        for _ in range(3):
            with socket.create_connection(("127.0.0.1", int(port))) as client:
                assert client.recv(1) == b"!"
        after = seen(pid, lambda found: found.sockets == 1)
        assert (after.sockets, after.abandoned) == (1, 0)


def test_a_pool_of_connections_to_others_that_these_closed_is_not_abandoned() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, program(DIALS, str(server.getsockname()[1])) as (pid, _):
        for _ in range(3):
            server.accept()[0].close()
        found = sockets_of(pid)
        assert found is not None
        assert (found.sockets, found.abandoned) == (3, 0)


def test_a_program_that_is_gone_cannot_be_seen() -> None:
    with program("print()") as (pid, _):
        pass
    assert sockets_of(pid) is None
