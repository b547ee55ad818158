"""The embedded server as a process: how it starts, says so, and ends."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys

import pytest

from tests.helpers.plane_world import PATIENCE_S, ROOT, Server, Upstream, receive, start_embedded

ARGV = [sys.executable, "-m", "faults.plane"]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*ARGV, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_S, check=False)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_cleanly_when_told_to(number: signal.Signals, upstream: Upstream) -> None:
    server = start_embedded(stderr=subprocess.PIPE)
    client, peer = upstream.pair(server.proxy(upstream.address))
    client.sendall(b"open")
    assert receive(peer, 4) == b"open"
    server.process.send_signal(number)
    _, complaints = server.process.communicate(timeout=PATIENCE_S)
    assert (server.process.returncode, complaints) == (0, "")
    assert receive(client, 1) == b""


def test_a_port_in_use_is_one_clear_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run("--port", str(port))
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith(f"cannot listen on 127.0.0.1:{port}: ")
    assert done.stderr.endswith("choose another --host or --port\n")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("arguments", [("--port", "x"), ("--port=-1",), ("--port", "70000"), ("--seed", "x"), ("--unknown",)])
def test_bad_options_are_usage_errors(arguments: tuple[str, ...]) -> None:
    done = run(*arguments)
    assert done.returncode == 2
    assert "usage: python -m faults.plane" in done.stderr


def test_it_ends_with_the_holder_of_its_standard_input() -> None:
    server = start_embedded("--until-eof", stdin=subprocess.PIPE)
    assert server.process.stdin is not None
    server.process.stdin.write("anything")
    server.process.stdin.flush()
    assert server.call("GET", "/version").ok
    server.process.stdin.close()
    assert server.process.wait(PATIENCE_S) == 0
    server.stop()


def test_standard_input_that_has_ended_already_ends_it() -> None:
    done = subprocess.run(
        [*ARGV, "--port", "0", "--until-eof"], cwd=ROOT, stdin=subprocess.DEVNULL, timeout=PATIENCE_S, check=False
    )
    assert done.returncode == 0


def test_it_ends_when_its_parent_is_killed() -> None:
    starter = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import subprocess, sys, time\n"
            "child = subprocess.Popen([*sys.argv[1:], '--port', '0', '--until-eof'], stdin=subprocess.PIPE)\n"
            "time.sleep(600)\n",
            *ARGV,
        ],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert starter.stdout is not None
    port = int(starter.stdout.readline().rpartition(":")[2])
    starter.kill()
    starter.wait()
    assert starter.stdout.read() == ""  # it comes when the server, which holds the pipe too, has ended
    starter.stdout.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_the_command_that_serves_leaves_no_server_behind(number: signal.Signals, upstream: Upstream) -> None:
    command = subprocess.Popen(
        [sys.executable, "-m", "harness.cli", "toxiproxy", "serve", "--port", "0"],
        cwd=ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    try:
        assert command.stdout is not None
        server = Server("embedded", "127.0.0.1", int(command.stdout.readline().rpartition(":")[2]), command)
        client, _ = upstream.pair(server.proxy(upstream.address))
        command.send_signal(number)
        assert command.wait(PATIENCE_S) == (-number if number is signal.SIGKILL else 0)
        assert receive(client, 1) == b""
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", server.port))
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(command.pid, signal.SIGKILL)
        command.communicate()


def test_without_until_eof_standard_input_means_nothing() -> None:
    server = start_embedded(stdin=subprocess.DEVNULL)
    assert server.call("GET", "/version").ok
    server.stop()


def test_the_api_is_on_loopback_only(embedded: Server) -> None:
    made = embedded.ask("POST", "/proxies", {"name": "p", "upstream": "127.0.0.1:9"})
    assert made["listen"].startswith("127.0.0.1:")
    assert embedded.ask("POST", "/proxies", {"name": "q", "upstream": "127.0.0.1:9", "listen": ":0"})["listen"].startswith(
        "127.0.0.1:"
    )


def _spared(seed: str, upstream: Upstream) -> list[bool]:
    server = start_embedded("--seed", seed)
    try:
        proxy = server.proxy(upstream.address)
        proxy.add("limit_data", bytes=0, toxicity=0.5)
        spared = []
        for _ in range(40):
            client, peer = upstream.pair(proxy)
            peer.sendall(b"x")
            spared.append(receive(client, 1) == b"x")
        return spared
    finally:
        server.stop()


def test_a_seed_repeats_every_choice(upstream: Upstream) -> None:
    first = _spared("1", upstream)
    assert _spared("1", upstream) == first
    assert _spared("2", upstream) != first
    assert {True, False} == set(first)


def test_it_runs_from_any_folder(tmp_path: object) -> None:
    done = subprocess.run(
        [*ARGV, "--help"],
        cwd=str(tmp_path),
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0
    assert "--until-eof" in done.stdout
