"""What an eventual node answers its clients and its peers."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest

from harness.cluster.ports import HOST
from harness.http.message import Request, Response
from harness.http.server import Handler, listen
from harness.model.system import Call
from systems.eventual.client import EventualClient
from systems.eventual.coordinator import MOST_SIBLINGS
from systems.eventual.messages import Context, Got, Held, NotDone, Store, Stored
from systems.eventual.node import Config, Server
from systems.eventual.resolution import KeepSiblings
from systems.parts.hybrid_clock import Timestamp
from tests.helpers.eventual_requests import GET, node, put


def answers(tmp_path: Path, *requests: Request, **settings: object) -> list[Response]:
    """The answers of a node that is alone."""

    async def ask() -> list[Response]:
        context = node(tmp_path, **settings)
        handle: Handler = Server(context, context.config(Config)).handle
        return [await handle(request) for request in requests]

    return asyncio.run(ask())


def test_a_client_deletes_all_siblings_that_it_has_seen(tmp_path: Path) -> None:
    async def scenario() -> None:
        context = node(tmp_path, resolve="siblings")
        server = await listen(Server(context, context.config(Config)).handle, (HOST, 0))
        address = (HOST, server.sockets[0].getsockname()[1])
        one, other = (EventualClient(0, [("n1", address)], siblings=True, session=None) for _ in range(2))
        try:
            for value in ("1", "2"):
                await one.invoke(Call("add", "k", value))
            assert (await other.invoke(Call("read", "k"))).value == '["1","2"]'
            await other.invoke(Call("delete", "k"))
            assert (await one.invoke(Call("read", "k"))).value == "[]"
            await one.invoke(Call("add", "k", "3"))
            assert (await other.invoke(Call("read", "k"))).value == '["3"]'
        finally:
            await one.close()
            await other.close()
            server.close()

    asyncio.run(scenario())


def test_a_value_is_written_read_and_deleted(tmp_path: Path) -> None:
    found = answers(tmp_path, GET, put("1"), GET, Request("DELETE", "/kv/k"), GET)
    assert [answer.status for answer in found] == [200] * 5
    assert [found[at].decode(Got).values for at in (0, 2, 4)] == [[], ["1"], []]
    assert answers(tmp_path, GET)[0].decode(Got).values == []


def test_a_client_that_never_reads_cannot_pile_up_siblings_for_ever(tmp_path: Path) -> None:
    found = answers(tmp_path, *(put(str(number)) for number in range(MOST_SIBLINGS + 1)), GET, resolve="siblings")
    assert [answer.status for answer in found[-3:]] == [200, 503, 200]
    assert "read them, and write with their context" in found[-2].decode(NotDone).error
    context = found[-1].decode(Got).context
    _, last = answers(tmp_path, put("all", context), GET, resolve="siblings")
    assert last.decode(Got).values == ["all"]


@pytest.mark.parametrize(
    ("request_", "status", "why"),
    [
        (Request("GET", "/kv/"), 400, "a key has 1 to 1024 bytes; this one has 0"),
        (Request("GET", "/kv/" + "k" * 1025), 400, "this one has 1025"),
        (put("v" * (1 << 20) + "v"), 413, "at most 1048576 bytes"),
        (put("v", Context(stamp=Timestamp(10**17, 0, "n9"))), 400, "one of the two clocks is wrong"),
        (Request("POST", "/kv/k"), 405, "there are GET, PUT and DELETE"),
        (Request("GET", "/nothing"), 404, "DELETE of /kv/KEY"),
        (Request("POST", "/replica/store", headers={"cluster": "eventual", "node": "n2"}), 421, "this is n1 of cluster"),
        (Request("POST", "/replica/store", headers={"cluster": "other", "node": "n1"}), 421, "is for n1 of cluster 'other'"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_line(tmp_path: Path, request_: Request, status: int, why: str) -> None:
    [found] = answers(tmp_path, request_)
    assert found.status == status
    assert why in found.body.decode()


@pytest.mark.parametrize("body", [b"", b"{", b'{"value": 1}', b'{"value": "v", "context": {"dots": {"n1": "x"}}}'])
def test_a_body_that_cannot_be_read_is_the_callers_mistake(tmp_path: Path, body: bytes) -> None:
    with pytest.raises(msgspec.MsgspecError):  # of which the server makes a 400
        answers(tmp_path, Request("PUT", "/kv/k", body=body))


def test_a_message_whose_window_is_too_old_is_not_stored(tmp_path: Path) -> None:
    def store(window: int) -> Request:
        state = KeepSiblings("n2").written(None, "1", Context())
        headers = {"cluster": "eventual", "node": "n1"}
        return Request(
            "POST", "/replica/store", headers=headers, body=msgspec.json.encode(Store([Held.of("k", state)], window))
        )

    refused, nothing = answers(tmp_path, store(0), GET, resolve="siblings")
    assert not refused.decode(Stored).done
    assert nothing.decode(Got).values == []
    stored, there = answers(tmp_path, store(refused.decode(Stored).window), GET, resolve="siblings")
    assert stored.decode(Stored).done
    assert there.decode(Got).values == ["1"]


def test_what_is_written_after_a_delete_was_forgotten_replaces_the_tombstone_elsewhere(tmp_path: Path) -> None:
    """Its tombstone counts two writes of this node, and this node must not count the new one as one of them."""

    async def scenario() -> None:
        def start() -> Server:
            context = node(tmp_path, resolve="siblings")
            return Server(context, context.config(Config))

        server = start()
        for request in (put("old"), Request("DELETE", "/kv/k")):
            await server.handle(request)
        tombstone = server.replica.state("k")
        assert tombstone is not None
        await server.forget(["k"])
        assert server.replica.state("k") is None
        for again in (server, start()):
            await again.handle(put("new"))
            state = again.replica.state("k")
            assert state is not None
            resolution = again.replica.resolution
            assert resolution.values(resolution.merged(tombstone, state)) == ["new"]
            stale = resolution.context(tombstone)  # of a client that saw the tombstone, and not the new value
            assert resolution.values(resolution.written(state, "its", stale)) == ["new", "its"]
            await again.handle(
                Request("DELETE", "/kv/k", headers={"context": msgspec.json.encode(resolution.context(state)).decode()})
            )
            await again.forget(["k"])

    asyncio.run(scenario())
