"""Stock clients, unmodified, against both servers: toxiproxy-python, toxiproxy-cli, and the HTTP clients of Java and Node."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from toxiproxy import Toxiproxy
from toxiproxy.api import APIConsumer
from toxiproxy.exceptions import InvalidToxic, NotFound, ProxyExists

from tests.helpers.effort import left_to_ci
from tests.helpers.plane_world import PATIENCE_S, Server, Upstream, connect, receive
from tests.helpers.real_toxiproxy import real_cli


@pytest.fixture
def python_client(server: Server) -> Iterator[Toxiproxy]:
    before = APIConsumer.host, APIConsumer.port
    client = Toxiproxy()
    client.update_api_consumer(server.host, server.port)
    yield client
    client.update_api_consumer(*before)


def test_toxiproxy_python_makes_and_unmakes(python_client: Toxiproxy, upstream: Upstream) -> None:
    assert python_client.running()
    assert json.loads(python_client.version()).keys() == {"version"}
    proxy = python_client.create(upstream=upstream.address, name="n1>n2")
    assert set(python_client.proxies()) == {"n1>n2"}
    with pytest.raises(ProxyExists):
        python_client.create(upstream=upstream.address, name="n1>n2")
    proxy.add_toxic(type="latency", attributes={"latency": 50})
    toxic = proxy.get_toxic("latency_downstream")
    assert (toxic.type, toxic.stream, toxic.toxicity, toxic.attributes) == (
        "latency",
        "downstream",
        1,
        {"latency": 50, "jitter": 0},
    )
    client = connect(proxy.listen)
    server = upstream.take()
    begun = time.monotonic()
    server.sendall(b"x")
    assert receive(client, 1) == b"x"
    assert time.monotonic() - begun >= 0.05
    with pytest.raises(InvalidToxic):
        proxy.add_toxic(type="nonsense")
    assert proxy.destroy_toxic("latency_downstream")
    with pytest.raises(NotFound):
        proxy.destroy_toxic("latency_downstream")
    with proxy.down(), pytest.raises(ConnectionRefusedError):
        connect(proxy.listen)
    connect(proxy.listen).close()
    client.close()
    assert proxy.destroy()
    assert python_client.get_proxy("n1>n2") is None


def test_toxiproxy_python_populates_and_resets(python_client: Toxiproxy) -> None:
    specs = [{"name": name, "upstream": "127.0.0.1:9"} for name in ("a", "b")]
    assert len(python_client.populate(specs)) == 2
    python_client.get_proxy("a").add_toxic(type="timeout", stream="upstream", toxicity=0.5, attributes={"timeout": 9})
    python_client.get_proxy("b").disable()
    assert python_client.reset()
    assert python_client.get_proxy("a").toxics() == {}
    assert python_client.get_proxy("b").enabled
    python_client.destroy_all()
    assert python_client.proxies() == {}


def test_toxiproxy_cli_does_not_notice(server: Server) -> None:
    binary = real_cli()

    def run(*arguments: str) -> tuple[int, str]:
        argv = [binary, "--host", f"http://{server.host}:{server.port}", *arguments]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
        return done.returncode, done.stdout + done.stderr

    assert run("create", "-l", "127.0.0.1:0", "-u", "127.0.0.1:9", "redis") == (0, "Created new proxy redis\n")
    assert run("create", "-l", "127.0.0.1:0", "-u", "127.0.0.1:9", "redis")[1].strip() == (
        "Failed to create proxy: Create: HTTP 409: proxy already exists"
    )
    assert run("toxic", "add", "-t", "latency", "-a", "latency=100", "-a", "jitter=5", "redis")[1] == (
        "Added downstream latency toxic 'latency_downstream' on proxy 'redis'\n"
    )
    assert run("toxic", "add", "-t", "bogus", "redis")[0] == 1
    assert run("toxic", "update", "-n", "latency_downstream", "-a", "latency=7", "--toxicity", "0.5", "redis")[0] == 0
    line = run("inspect", "redis")[1]
    for part in ("type=latency", "stream=downstream", "toxicity=0.50", "latency=7", "jitter=5"):
        assert part in line
    assert "is now disabled" in run("toggle", "redis")[1].replace("\x1b[31m", "").replace("\x1b[0m", "")
    assert "disabled\t1" in run("list")[1]
    assert run("toxic", "delete", "-n", "latency_downstream", "redis")[0] == 0
    assert run("delete", "redis") == (0, "Deleted proxy redis\n")
    assert run("delete", "redis") == (1, "Failed to retrieve proxy redis: HTTP 404: proxy not found\n\n")


# -------------------------------------------------------------------------------------------------------- Java and Node

CLIENTS = Path(__file__).parent / "clients"
STOCK_CLIENTS: dict[str, tuple[str, str, Callable[[str], list[str]]]] = {
    "java HttpClient": ("java", "default-jdk-headless", lambda url: [str(CLIENTS / "Drive.java"), url]),
    "node fetch": ("node", "nodejs", lambda url: [str(CLIENTS / "drive.mjs"), url, "fetch"]),
    "node http": ("node", "nodejs", lambda url: [str(CLIENTS / "drive.mjs"), url, "http"]),
}


@pytest.mark.parametrize(
    "client",
    [client if client == "node fetch" else left_to_ci(client) for client in STOCK_CLIENTS],  # Java takes its time
)
def test_the_http_clients_of_other_languages_drive_it(server: Server, upstream: Upstream, client: str) -> None:
    command, package, arguments = STOCK_CLIENTS[client]
    binary = shutil.which(command)
    if binary is None and os.environ.get("CI") == "true":
        pytest.fail(f"no {command} on PATH: apt-get install {package}")
    if binary is None:
        pytest.skip(f"no {command} on PATH: apt-get install {package}")
    latency = {"type": "latency", "attributes": {"latency": 5}}
    proxy = {"name": "n1>n2", "listen": "127.0.0.1:0", "upstream": upstream.address}
    steps: list[tuple[str, str, object]] = [
        ("GET", "/version", None),
        ("POST", "/proxies", proxy),
        ("POST", "/proxies", proxy),
        ("POST", "/proxies/n1%3En2/toxics", latency),
        ("PATCH", "/proxies/n1%3En2/toxics/latency_downstream", {"attributes": {"jitter": 2}}),
        ("GET", "/proxies", None),
        ("PATCH", "/proxies/n1%3En2", {"enabled": False}),
        ("POST", "/reset", None),
        ("DELETE", "/proxies/n1%3En2/toxics/latency_downstream", None),
        ("POST", "/populate", [{"name": name, "upstream": "127.0.0.1:9", "listen": "127.0.0.1:0"} for name in ("a", "b")]),
        ("DELETE", "/proxies/a", None),
        ("GET", "/proxies", None),
    ]
    lines = [f"{method}\t{path}\t{'' if body is None else json.dumps(body)}\n" for method, path, body in steps]
    argv = [binary, *arguments(f"http://{server.host}:{server.port}")]
    done = subprocess.run(argv, input="".join(lines), capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    answers = [line.split("\t") for line in done.stdout.splitlines()]
    assert [int(status) for status, _ in answers] == [200, 201, 409, 200, 200, 200, 200, 204, 404, 201, 204, 200], done.stdout
    bodies: list[Any] = [json.loads(body) if body else None for _, body in answers]
    assert bodies[4]["attributes"] == {"latency": 5, "jitter": 2}
    assert bodies[5]["n1>n2"]["toxics"] == [bodies[4]]
    assert (bodies[6]["enabled"], len(bodies[6]["toxics"])) == (False, 1)
    assert [made["name"] for made in bodies[9]["proxies"]] == ["a", "b"]
    assert {name: (shown["enabled"], shown["toxics"]) for name, shown in bodies[11].items()} == {
        "n1>n2": (True, []),
        "b": (True, []),
    }
    through = connect(bodies[11]["n1>n2"]["listen"])
    through.sendall(b"through")
    assert receive(upstream.take(), 7) == b"through"
    through.close()
