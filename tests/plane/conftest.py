from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from plane_world import ProxyHandle, Server, Upstream, listening_upstream, real_server, start_embedded, start_real

MISSING = (
    "no real Toxiproxy: set TOXIPROXY_SERVER to its server, put `toxiproxy-server` on PATH, or"
    " `go install github.com/Shopify/toxiproxy/v2/cmd/server@v2.12.0`"
)


@pytest.fixture(scope="session", params=["embedded", "real"])
def running_server(request: pytest.FixtureRequest) -> Iterator[Server]:
    if request.param == "embedded":
        server = start_embedded("--seed", "7")
    else:
        binary = real_server()
        if binary is None and os.environ.get("CI") == "true":
            pytest.fail(MISSING)
        if binary is None:
            pytest.skip(MISSING)
        server = start_real(binary)
    yield server
    assert server.process.poll() is None, "the server died"
    server.stop()


@pytest.fixture
def server(running_server: Server) -> Iterator[Server]:
    """Each of the two servers in turn, without proxies."""
    yield running_server
    _clear(running_server)


@pytest.fixture(scope="session")
def running_embedded() -> Iterator[Server]:
    server = start_embedded("--seed", "7")
    yield server
    assert server.process.poll() is None, "the server died"
    server.stop()


@pytest.fixture
def embedded(running_embedded: Server) -> Iterator[Server]:
    """The embedded server alone, without proxies."""
    yield running_embedded
    _clear(running_embedded)


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with listening_upstream() as listening:
        yield listening


@pytest.fixture
def proxy(server: Server, upstream: Upstream) -> ProxyHandle:
    """A proxy to `upstream` on each of the two servers."""
    return server.proxy(upstream.address, "n1>n2")


def _clear(server: Server) -> None:
    for name in server.ask("GET", "/proxies"):
        ProxyHandle(server, name, "").server.ask("DELETE", ProxyHandle(server, name, "").path)
