"""How a rank finds the others of its group in the coordinator's store."""

from __future__ import annotations

import socket
import time

import msgspec

from systems.training.messages import Got
from systems.training.rendezvous import Rendezvous
from tests.helpers.answering import accepting

SLOW_S = 0.25
"""Longer than a rank's first try."""


def test_an_address_is_found_over_a_slow_link() -> None:
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
