"""Reserved ports: no other process gets one, a server can listen on it, and connections are refused while none does."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys

import pytest

from harness.cluster.ports import HOST, Ports, listens, reserved
from harness.model.system import CLIENT, Link, Node
from tests.helpers.engine import until


def listener(port: int = 0, *, family: int = socket.AF_INET, host: str = HOST) -> socket.socket:
    server = socket.socket(family)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind((host, port))
    server.listen()
    return server


def test_reserved_ports_differ_and_go_to_no_other_process() -> None:
    with reserved(200) as ports:
        assert len(set(ports)) == 200
        others = [listener() for _ in range(300)]
        assert not set(ports) & {other.getsockname()[1] for other in others}
        with reserved(100) as more:
            assert not set(ports) & set(more)
        for other in others:
            other.close()


def test_a_server_listens_on_a_reserved_port_again_and_again() -> None:
    with reserved(1) as [port]:
        for _ in range(3):
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection((HOST, port))
            with listener(port), socket.create_connection((HOST, port)):
                pass


def test_it_is_this_process_that_listens() -> None:
    with reserved(2) as [port, other]:
        assert not listens(os.getpid(), port)
        with listener(port):
            assert listens(os.getpid(), port)
            assert not listens(os.getpid(), other)
            assert not listens(1, port)
        assert not listens(os.getpid(), port)


def test_a_listener_of_ipv6_counts_too() -> None:
    with listener(family=socket.AF_INET6, host="::") as server:
        assert listens(os.getpid(), server.getsockname()[1])


def test_a_child_in_the_same_process_group_counts_too() -> None:
    with reserved(1) as [port]:
        code = f"import socket; s = socket.create_server(('{HOST}', {port})); s.accept()"
        script = [sys.executable, "-c", f"import subprocess, sys; subprocess.run([sys.executable, '-c', {code!r}])"]
        process = subprocess.Popen(script, start_new_session=True)
        try:
            until(lambda: listens(process.pid, port))
        finally:
            with socket.create_connection((HOST, port)):
                process.wait(30)


def test_a_process_that_is_gone_listens_on_nothing() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    assert not listens(process.pid, 80)


NODES = [
    Node(name=name, command=("program",), internal=internal) for name, internal in (("a", True), ("b", True), ("c", False))
]


def test_links_to_an_internal_port_have_one_port_on_an_address_for_each_source() -> None:
    with Ports.reserved(NODES) as ports:
        to_a = [ports.listen(Link(source=source, target="a")) for source in ("b", "c")]
        assert {port for _, port in to_a} == {ports.internal["a"]}
        assert len({host for host, _ in to_a}) == 2
        assert ports.upstream(Link(source="b", target="a")) == ports.internal["a"] != ports.own["a"]
        with contextlib.ExitStack() as stack:
            for host, port in [(HOST, ports.internal["a"]), *to_a]:
                stack.enter_context(listener(port, host=host))


def test_links_of_clients_and_to_nodes_without_an_internal_port_listen_anywhere() -> None:
    with Ports.reserved(NODES) as ports:
        for link in (Link(source=CLIENT, target="a"), Link(source="a", target="c")):
            assert ports.listen(link) == (HOST, 0)
            assert ports.upstream(link) == ports.own[link.target]


def test_two_runs_at_once_have_other_internal_ports() -> None:
    with Ports.reserved(NODES) as one, Ports.reserved(NODES) as other:
        assert not set(one.internal.values()) & set(other.internal.values())
