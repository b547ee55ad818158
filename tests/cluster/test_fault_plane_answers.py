"""What is told of a fault plane that refuses: the beginning of its answer, in one line."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from harness.cluster.ports import HOST
from harness.cluster.toxiproxy import FaultPlane
from harness.model.errors import FaultError


class NoToxiproxy(BaseHTTPRequestHandler):
    """A web server that knows nothing of proxies."""

    def do_GET(self) -> None:
        self.send_error(404)

    def do_POST(self) -> None:
        self.do_GET()

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def port() -> Iterator[int]:
    with HTTPServer((HOST, 0), NoToxiproxy) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def test_a_server_that_is_no_toxiproxy_is_told_by_its_answer(port: int) -> None:
    with pytest.raises(FaultError, match=r"refused to create proxy 'a>b': <!DOCTYPE HTML>.*…$") as caught:
        asyncio.run(FaultPlane((HOST, port)).create("a>b", (HOST, 1)))
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 200
