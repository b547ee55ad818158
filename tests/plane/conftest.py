from __future__ import annotations

import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.plane_world import ProxyHandle, Server, Upstream, listening_upstream, start_embedded, start_real
from tests.helpers.real_toxiproxy import real_server

SILENT_DNS = "127.0.0.9"


@pytest.fixture(scope="session", params=["embedded", "real"])
def running_server(request: pytest.FixtureRequest) -> Iterator[Server]:
    server = start_embedded("--seed", "7") if request.param == "embedded" else start_real(real_server())
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


@pytest.fixture(params=["embedded", "real"])
def server_with_names(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    """Each server in turn, for which `both` is ::1 and 127.0.0.1, and no DNS server answers for names not in its hosts file."""
    hosts, resolv = tmp_path / "hosts", tmp_path / "resolv.conf"
    hosts.write_text("127.0.0.1 localhost\n::1 both\n127.0.0.1 both\n")
    resolv.write_text(f"nameserver {SILENT_DNS}\n")
    mount = 'mount --bind "$1" /etc/hosts && mount --bind "$2" /etc/resolv.conf && shift 2 && exec "$@"'
    within = ["unshare", "--mount", "sh", "-c", mount, "sh", str(hosts), str(resolv)]
    with socket.socket(type=socket.SOCK_DGRAM) as silent:
        try:
            silent.bind((SILENT_DNS, 53))
        except PermissionError:
            pytest.skip("a DNS server that stays silent takes port 53 and a mount namespace: run as root")
        unshare = shutil.which("unshare")
        if unshare is None or subprocess.run([unshare, "--mount", "true"], capture_output=True, check=False).returncode:
            pytest.skip("names of its own for a server take a mount namespace: install util-linux and run as root")
        kind = request.param
        server = start_embedded(within=within) if kind == "embedded" else start_real(real_server(), within)
        yield server
        server.stop()


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
