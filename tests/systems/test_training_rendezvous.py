"""How a rank finds the others of its group in the coordinator's store."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack

import msgspec
import pytest

from systems.training.messages import Got
from systems.training.rendezvous import Rendezvous
from tests.helpers.answering import accepting

SLOW_S = 0.25
"""Longer than a rank's first try."""


@pytest.fixture(params=[0, 1100])
def open_files(request: pytest.FixtureRequest) -> Iterator[None]:
    """So many more descriptors are open in this process."""
    with ExitStack() as opened:
        for _ in range(request.param):
            opened.callback(os.close, os.open(os.devnull, os.O_RDONLY))
        yield


def test_an_address_is_found_over_a_slow_link(open_files: None) -> None:
    body = msgspec.json.encode(Got(value=b"there"))
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
    asked = 0

    def serve(client: socket.socket) -> None:
        nonlocal asked
        asked += 1
        with client:
            client.recv(1 << 16)
            if asked == 1:
                client.recv(1)  # until the rank gives up, however slow this machine is
            time.sleep(SLOW_S)  # this is the link
            client.sendall(answer)

    with accepting(serve) as port:
        assert Rendezvous(("127.0.0.1", port), lambda: asked > 12).get("0/1") == b"there"
    assert asked > 1
