"""The benchmark of the fault plane ends with an error when a proxy ends a connection."""

from __future__ import annotations

import importlib
import socket
from pathlib import Path

import pytest

from tests.helpers.answering import accepting

BENCHMARKS = Path(__file__).parent.parent.parent / "benchmarks"


@pytest.mark.parametrize("sent", [b"", b"some"])
def test_a_download_through_a_proxy_that_ends_it_is_an_error(sent: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(BENCHMARKS)
    benchmark = importlib.import_module("plane")

    def serve(client: socket.socket) -> None:
        with client:
            client.recv(2)
            client.sendall(sent)

    left = f"{1_000_000 - len(sent):,} of 1,000,000 bytes were still to come"
    with accepting(serve) as port, pytest.raises(ConnectionError, match=left):
        benchmark.download(port, 1)
