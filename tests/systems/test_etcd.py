"""etcd: how its members learn each other's addresses, how its client reads their answers, and how its leader is found."""

from __future__ import annotations

import asyncio
import base64
import re
from collections.abc import Mapping

import msgspec
import pytest

from harness.cluster.ports import HOST
from harness.http.message import TransportError
from harness.model.errors import FaultError, UsageError
from harness.model.system import Address, Answer, Call, CallFailed, HasInstall, HasLeader, HasProbe, System, links_of
from systems.foreign.etcd import Etcd
from systems.foreign.etcd.client import EtcdClient
from systems.foreign.etcd.status import leading
from tests.helpers.answering import answering


def address_of(url: str) -> Address:
    return HOST, int(url.rstrip("/").rpartition(":")[2])


def invoke(call: Call, *urls: str, serializable: bool = False) -> Answer:
    async def scene() -> Answer:
        client = EtcdClient(
            0, [(f"n{number}", address_of(url)) for number, url in enumerate(urls, 1)], serializable_reads=serializable
        )
        try:
            return await client.invoke(call)
        finally:
            await client.close()

    return asyncio.run(scene())


@pytest.mark.parametrize(("body", "value"), [(b'{"succeeded":true}', '["1","2"]'), (b"{}", '["1","2",false]')])
def test_a_compare_and_set_tells_whether_it_did(body: bytes, value: str) -> None:
    with answering(body=body) as (url, _):
        assert invoke(Call("cas", "k", '["1","2"]'), url) == Answer(value, "n1")


def refusal(message: str, code: int) -> bytes:
    return msgspec.json.encode({"message": message, "code": code})


def test_it_is_a_system_that_elects_and_can_be_installed() -> None:
    for protocol in (System, HasProbe, HasLeader, HasInstall):
        assert isinstance(Etcd(), protocol)


def test_all_members_are_told_the_same_cluster_and_listen_elsewhere_than_they_say() -> None:
    nodes = Etcd().nodes()
    assert len(links_of(Etcd())) == 3 + 6
    for node in nodes:
        options = dict(zip(node.command[3::2], node.command[4::2], strict=True))
        port = {name: f"{{peer_port:{name}}}" for name in ("n1", "n2", "n3")} | {node.name: "{internal_port}"}
        assert options["--initial-cluster"] == ",".join(f"{name}=http://{name}.etcd:{port[name]}" for name in port)
        assert options["--listen-peer-urls"] == "http://{host}:{internal_port}"
        assert options["--initial-advertise-peer-urls"] == f"http://{node.name}.etcd:{{internal_port}}"
        assert options["--data-dir"] == "{data}/member"
        found = re.findall(r"(n\d)\.etcd=\{peer_host:(n\d)\}", node.command[1])
        assert found == [(peer, peer) for peer in node.peers]


@pytest.mark.parametrize(
    ("settings", "told"),
    [({"members": 0}, "at least one"), ({"heartbeat_ms": 300}, "five times"), ({"heartbeat_ms": 0}, "five times")],
)
def test_settings_that_etcd_would_refuse_are_refused(settings: dict[str, int], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        Etcd(**settings)  # type: ignore[arg-type]


def test_without_the_program_it_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("empty")))
    assert "harness install etcd" in str(Etcd().missing())


def test_what_is_there_is_read_and_what_is_not_is_null() -> None:
    value = base64.b64encode("žluť".encode()).decode()
    with answering(body=msgspec.json.encode({"kvs": [{"value": value}], "count": "1"})) as (url, _):
        assert invoke(Call("read", "k"), url) == Answer("žluť", "n1")
    with answering(body=b'{"header":{"revision":"2"}}') as (url, _):
        assert invoke(Call("read", "k"), url) == Answer(None, "n1")


def test_a_read_that_failed_is_asked_of_the_next_member_and_a_write_is_not() -> None:
    wrong = refusal("etcdserver: leader changed", 14)
    with answering(503, wrong) as (one, _), answering(body=b"{}") as (other, asked):
        assert invoke(Call("read", "k"), one, other) == Answer(None, "n2")
        with pytest.raises(TransportError, match="n1: etcdserver: leader changed"):
            invoke(Call("write", "k", "1"), one, other)
        assert len(asked) == 1


@pytest.mark.parametrize(("message", "code"), [("etcdserver: too many requests", 8), ("etcdserver: key is not provided", 3)])
def test_a_write_that_etcd_refused_has_failed(message: str, code: int) -> None:
    with answering(400, refusal(message, code)) as (url, _), pytest.raises(CallFailed, match=message):
        invoke(Call("write", "k", "1"), url)


@pytest.mark.parametrize("body", [refusal("etcdserver: request timed out", 14), refusal("", 2), b"no JSON"])
def test_after_any_other_error_a_writes_fate_is_unknown(body: bytes) -> None:
    with answering(500, body) as (url, _), pytest.raises(TransportError):
        invoke(Call("write", "k", "1"), url)


def test_calls_that_it_does_not_know_have_failed() -> None:
    with pytest.raises(CallFailed, match="etcd takes reads"):
        invoke(Call("predict", "k"), "http://127.0.0.1:1/")


def leader_of(answers: Mapping[str, Mapping[str, object]]) -> str:
    async def scene() -> str:
        return await leading({name: address_of(urls[name]) for name in answers})

    urls: dict[str, str] = {}

    def serve(left: list[str]) -> str:
        if not left:
            return asyncio.run(scene())
        with answering(body=msgspec.json.encode(answers[left[0]])) as (urls[left[0]], _):
            return serve(left[1:])

    return serve(list(answers))


def said(member: str, leader: str, term: int) -> dict[str, object]:
    return {"header": {"member_id": member, "raft_term": str(term)}, "leader": leader, "raftTerm": str(term)}


def test_the_leader_is_who_those_of_the_newest_term_say() -> None:
    assert leader_of({"n1": said("11", "11", 9), "n2": said("22", "33", 10), "n3": said("33", "33", 10)}) == "n3"


@pytest.mark.parametrize(
    ("answers", "told"),
    [
        ({"n1": said("11", "0", 3)}, "no member knows a leader"),
        ({"n1": {"header": {}}}, "no member knows a leader"),
        ({"n1": said("11", "22", 3)}, "does not answer"),
    ],
)
def test_no_leader_is_made_up(answers: Mapping[str, Mapping[str, object]], told: str) -> None:
    with pytest.raises(FaultError, match=told):
        leader_of(answers)


def test_a_client_that_its_member_refused_goes_back_to_it_after_some_calls_elsewhere() -> None:
    """Else all load stays on one member once the others have each been away."""

    async def scene(urls: tuple[str, str], asked: list[str]) -> list[int]:
        client = EtcdClient(0, [("n1", address_of(urls[0])), ("n2", address_of(urls[1]))], serializable_reads=False)
        seen = []
        for _ in range(25):
            assert (await client.invoke(Call("read", "k"))).node == "n2"
            seen.append(len(asked))
        await client.close()
        return seen

    with (
        answering(503, refusal("etcdserver: no leader", 14)) as (home, asked),
        answering(body=b"{}") as (other, _),
    ):
        seen = asyncio.run(scene((home, other), asked))
    assert seen == sorted(seen)
    assert (seen[0], seen[5], seen[-1]) == (1, 1, 3)
