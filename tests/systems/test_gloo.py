"""Gloo over links: addresses are read and replaced, one port serves HTTP and gloo, and a blocked collective can be ended."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from queue import SimpleQueue

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.distributed import HashStore  # type: ignore[attr-defined]  # its stubs leave it out

from systems.parts.gloo import front as front_module
from systems.parts.gloo.abort import abort
from systems.parts.gloo.connections import connections, quiet_s
from systems.parts.gloo.front import Front, accept_all
from systems.parts.gloo.group import Group
from systems.training.links import Links, host_of
from torch_drills.addresses import address, dials, is_address, moved
from torch_drills.store import LinkStore

BLOB = bytes.fromhex(
    "0200000000000000" "766d" "8800000000000000" "0200a30f7f0001fa000000000000000031ed20312f20edbfef4bb833be14bfbf"
    + "00" * 32 + "41" * 32 + "00" * 24 + "ffffffffffffffff" + "0000000000000000" + "0100000000000000" + "0200000000000000"
)  # fmt: skip
"""What a gloo process published, the host called "vm": it listens on 127.0.1.250, port 41743."""

DEADLINE_S = 30.0
HOSTS = (host_of(0), host_of(1))


def test_reads_where_a_gloo_process_listens() -> None:
    assert is_address("generation3/0/1", BLOB)
    assert address(BLOB) == ("127.0.1.250", 41743)


@given(
    host=st.ip_addresses(v=4).map(str),
    port=st.integers(1, 65535),
)
def test_moving_changes_the_address_and_nothing_else(host: str, port: int) -> None:
    there = moved(BLOB, (host, port))
    assert address(there) == (host, port)
    assert moved(there, address(BLOB)) == BLOB


@given(st.binary(max_size=300))
def test_what_does_not_tell_an_address_is_left_alone(value: bytes) -> None:
    if not is_address("0/1", value):
        with pytest.raises(ValueError, match="not an IPv4 listen address of gloo"):
            address(value)


def test_a_connection_is_quiet_until_something_comes() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as one:
        other, _ = server.accept()
        ends = one.getsockname(), one.getpeername()
        with other:
            assert sum(1 for _ in connections(lambda *both: both == ends)) == 1
            while (before_s := quiet_s(lambda *both: both == ends)) < 0.05:
                pass  # it has been made just now
            other.sendall(b"x")
            assert one.recv(1) == b"x"
            while quiet_s(lambda *both: both == ends) >= before_s:
                other.sendall(b"x")
                assert one.recv(1) == b"x"
    assert quiet_s(lambda *both: both == ends) == float("inf")


@pytest.mark.parametrize("key", ["store_based_barrier", "0", "rank/a", "x/0/"])
def test_other_keys_hold_no_address(key: str) -> None:
    assert not is_address(key, BLOB)


def test_the_higher_address_dials() -> None:
    assert dials(*HOSTS)
    assert not dials(*reversed(HOSTS))
    assert dials("127.0.1.100", "127.0.1.99")


# ------------------------------------------------------------------------------------------------------------- groups


class Member:
    """One of two ranks, in this process: its gloo listens behind a front, and rank 0 dials the other's front."""

    def __init__(self, rank: int, store: HashStore, fronts: list[Front], host: str) -> None:
        self.rank = rank
        links = Links(rank, {1: (host, fronts[1].port)} if rank == 0 else {}, fronts[rank])
        self._device = links.device
        self._store = LinkStore(store, published=links.published, route=links.route)

    def group(self, name: str) -> Group:
        return Group(self._device, self._store, name=name, rank=self.rank, world=2, timeout_s=DEADLINE_S)


@contextmanager
def members(host: str = "127.0.0.1") -> Iterator[list[Member]]:
    fronts = [Front((host, 0), socket.socket.close) for _ in range(2)]
    store = HashStore()
    yield [Member(rank, store, fronts, host) for rank in range(2)]
    for front in fronts:
        front.close()


def both(call: Callable[[Member], object], two: list[Member]) -> list[Future[object]]:
    """Have both members do something at once."""
    pool = ThreadPoolExecutor(2)
    futures = [pool.submit(call, member) for member in two]
    pool.shutdown(wait=False)
    return futures


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.2.1"])
def test_collectives_go_through_the_links(host: str) -> None:
    """Also if a link leads to a higher address than gloo's own, as on another machine: gloo does not dial those by itself."""

    def work(member: Member) -> object:
        group = member.group("a")
        into = torch.empty(2, 3, 5)
        group.gather(torch.full((3, 5), float(member.rank)), into)
        state = group.broadcast(b"the state" if member.rank == 1 else None, 1)
        return into[:, 2, 4].tolist(), group.exchange([member.rank, -7]), state

    with members(host) as two:
        for future in both(work, two):
            assert future.result(DEADLINE_S) == ([0.0, 1.0], [[0, -7], [1, -7]], b"the state")


def test_a_group_is_made_anew_after_one_that_ended() -> None:
    def work(member: Member) -> object:
        return [member.group(name).exchange([member.rank]) for name in ("a", "b", "c")]

    with members() as two:
        for future in both(work, two):
            assert future.result(DEADLINE_S) == [[[0], [1]]] * 3


def test_a_collective_with_a_silent_member_is_ended_from_another_thread() -> None:
    joined = threading.Barrier(2)

    def work(member: Member) -> object:
        group = member.group("a")
        group.exchange([0])
        joined.wait(DEADLINE_S)
        return group.exchange([1]) if member.rank == 0 else None  # the other one does not come

    with members() as two:
        waits, comes_not = both(work, two)
        comes_not.result(DEADLINE_S)
        while not waits.done():
            abort(lambda own, other: HOSTS[1] in (own[0], other[0]))
        with pytest.raises(RuntimeError):
            waits.result(DEADLINE_S)


def test_only_the_connections_that_are_gloos_are_shut() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        accepted, _ = server.accept()
        with accepted:
            assert abort(lambda own, other: False) == 0
            client.sendall(b"x")
            assert accepted.recv(1) == b"x"
            assert abort(lambda own, other: own == server.getsockname()) == 1
            assert client.recv(1) == b""
            again = socket.create_connection(server.getsockname())  # the server still listens
            again.close()


# -------------------------------------------------------------------------------------------------------------- front


@pytest.mark.parametrize("passes", [errno.EMFILE, errno.ECONNABORTED])
def test_connections_are_accepted_again_after_an_error_that_passes(passes: int) -> None:
    class Failing(socket.socket):
        failed = 0

        def accept(self) -> tuple[socket.socket, object]:
            self.failed += 1
            if self.failed <= 2:
                raise OSError(passes, os.strerror(passes))
            return super().accept()

    led = SimpleQueue[socket.socket]()
    with Failing() as server:
        server.bind((HOSTS[0], 0))
        server.listen()
        accept_all(server, led.put, name="test")
        with socket.create_connection(server.getsockname()) as caller, led.get(timeout=DEADLINE_S) as accepted:
            assert accepted.getpeername() == caller.getsockname()
        server.shutdown(socket.SHUT_RDWR)


def test_http_and_gloo_share_a_port() -> None:
    http: SimpleQueue[socket.socket] = SimpleQueue()
    front = Front(("127.0.0.1", 0), http.put)
    with socket.create_server(("127.0.0.1", 0)) as gloo:
        front.gloo = gloo.getsockname()
        with socket.create_connection(("127.0.0.1", front.port)) as asker:
            asker.sendall(b"GET / HTTP/1.1\r\n\r\n")
            with http.get(timeout=DEADLINE_S) as given:
                assert received(given, 18) == b"GET / HTTP/1.1\r\n\r\n"
        with socket.create_connection(("127.0.0.1", front.port)) as dialler:
            dialler.sendall((7).to_bytes(8, "little"))
            accepted, _ = gloo.accept()
            with accepted:
                assert received(accepted, 8) == (7).to_bytes(8, "little")
                big = bytes(range(256)) * 20_000
                threading.Thread(target=accepted.sendall, args=(big,), daemon=True).start()
                assert received(dialler, len(big)) == big
                dialler.shutdown(socket.SHUT_WR)
                assert accepted.recv(1) == b""
    front.close()


@pytest.mark.parametrize("sent", [b"", b"GE", b"\7\0"])
def test_a_connection_that_does_not_show_what_it_is_is_closed(sent: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(front_module, "_FIRST_S", 0.05)
    front = Front(("127.0.0.1", 0), socket.socket.close)
    with socket.create_server(("127.0.0.1", 0)) as gloo:
        front.gloo = gloo.getsockname()
        with socket.create_connection(("127.0.0.1", front.port), timeout=DEADLINE_S) as dialler:
            dialler.sendall(sent)
            with contextlib.suppress(ConnectionResetError):  # what it sent was not read
                assert dialler.recv(1) == b""
    front.close()


def test_a_connection_that_has_shown_what_it_is_may_be_silent() -> None:
    http: SimpleQueue[socket.socket] = SimpleQueue()
    front = Front(("127.0.0.1", 0), http.put)
    with socket.create_connection(("127.0.0.1", front.port)) as asker:
        asker.sendall(b"GET ")
        with http.get(timeout=DEADLINE_S) as given:
            assert not any(given.getsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, 16))
            assert given.getblocking()
    front.close()


def test_a_descriptor_that_is_another_thing_by_now_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    duplicated, duplicate = [], os.dup

    def another_thing(_: int) -> int:
        duplicated.append(duplicate(null))
        return duplicated[-1]

    null = os.open(os.devnull, os.O_RDONLY)
    with socket.create_server(("127.0.0.1", 0)):
        monkeypatch.setattr(os, "dup", another_thing)
        assert list(connections(lambda *_: True)) == []
    os.close(null)
    assert duplicated
    for descriptor in duplicated:
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(descriptor)


def test_gloo_that_does_not_listen_yet_is_refused() -> None:
    front = Front(("127.0.0.1", 0), socket.socket.close)
    with socket.create_connection(("127.0.0.1", front.port)) as dialler:
        dialler.sendall((7).to_bytes(8, "little"))
        assert ended(dialler)
    front.close()


def ended(connection: socket.socket) -> bool:
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True


def received(connection: socket.socket, length: int) -> bytes:
    data = b""
    while len(data) < length:
        data += connection.recv(length - len(data))
    return data
