"""What the quorum store's nodes answer on real connections, inside this process."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest

from harness.http.message import Headers, Request, Response
from harness.node.context import NodeContext
from systems.parts.owner import OtherNode, Owner
from systems.quorum import node as quorum_node
from systems.quorum.messages import MAX_KEY_BYTES, MAX_VALUE_BYTES, Entry, Query, ReplicaRequest, Store, Version
from tests.helpers.quorum_nodes import PATIENT_S, Nodes, never, store

N1 = Owner("quorum", "n1")


def test_what_one_node_wrote_any_node_reads(tmp_path: Path) -> None:
    async def scenario(nodes: Nodes) -> None:
        await nodes.start("n1", "n2", "n3")
        assert await nodes.get("n2") == (200, {"value": None})
        assert await nodes.put("n1", "first") == (200, {"value": None})
        assert await nodes.get("n3") == (200, {"value": "first"})
        assert await nodes.put("n2", "second") == (200, {"value": None})
        assert [await nodes.get(name) for name in ("n1", "n2", "n3")] == [(200, {"value": "second"})] * 3

    store(tmp_path, scenario)


@pytest.mark.parametrize("key", ["a%20b", "%25", "%C5%BElu%C5%A5", "a%2Fb", "%3Fx=1"])
def test_keys_are_any_text(tmp_path: Path, key: str) -> None:
    async def scenario(nodes: Nodes) -> None:
        await nodes.start("n1", "n2")
        await nodes.put("n1", "value", key)
        assert await nodes.get("n2", key) == (200, {"value": "value"})
        assert await nodes.get("n2", key + "x") == (200, {"value": None})

    store(tmp_path, scenario)


def test_two_of_three_nodes_are_enough(tmp_path: Path) -> None:
    async def scenario(nodes: Nodes) -> None:
        await nodes.start("n1", "n3")
        assert (await nodes.put("n1", "1"))[0] == 200
        assert await nodes.get("n3") == (200, {"value": "1"})

    store(tmp_path, scenario)


def test_one_node_alone_refuses_and_says_why(tmp_path: Path) -> None:
    async def scenario(nodes: Nodes) -> None:
        await nodes.start("n2")
        refused = {"outcome": "failed", "error": "query: 2 of 3 replicas needed, answers of: n2"}
        assert await nodes.put("n2", "1") == (503, refused)
        assert await nodes.get("n2") == (503, refused)
        await nodes.start("n1")
        assert await nodes.get("n1") == (200, {"value": None})

    store(tmp_path, scenario, phase_timeout_s=0.5)


def test_a_write_that_some_replica_may_have_is_unknown(tmp_path: Path) -> None:
    """The peer answers the query, and then takes the value without a word."""

    async def scenario(nodes: Nodes) -> None:
        async def takes_silently(request: Request) -> Response:
            if request.path != "/replica":
                return Response(503)
            requests = msgspec.json.decode(request.body, type=list[ReplicaRequest])
            if isinstance(requests[0], Query):
                return Response.json([Entry()] * len(requests))
            return await never(request)

        await nodes.impersonate("n2", takes_silently)
        await nodes.start("n1")
        status, answer = await nodes.put("n1", "1")
        assert (status, answer) == (
            504,
            {"outcome": "unknown", "error": "store: 2 of 3 replicas needed, answers of: n1"},
        )

    store(tmp_path, scenario, phase_timeout_s=0.5)


def test_nodes_that_were_all_stopped_come_back_with_what_they_had(tmp_path: Path) -> None:
    async def scenario(nodes: Nodes) -> None:
        await nodes.start("n1", "n2", "n3")
        for number in range(20):
            await nodes.put("n1", str(number), f"key{number % 7}")
        for name in ("n1", "n2", "n3"):
            await nodes.stop(name)
        await nodes.start("n2", "n3")
        assert [await nodes.get("n3", f"key{number % 7}") for number in range(13, 20)] == [
            (200, {"value": str(number)}) for number in range(13, 20)
        ]

    store(tmp_path, scenario)


def test_writes_that_go_on_at_once_leave_one_value_that_all_nodes_agree_on(tmp_path: Path) -> None:
    async def scenario(nodes: Nodes) -> None:
        await nodes.start("n1", "n2", "n3")
        written = await asyncio.gather(*(nodes.put(f"n{number % 3 + 1}", str(number)) for number in range(18)))
        assert {status for status, _ in written} == {200}
        seen = [await nodes.get(name) for name in ("n1", "n2", "n3")]
        assert seen[0] == seen[1] == seen[2]

    store(tmp_path, scenario)


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/", b"", 404),
        ("GET", "/kv/", b"", 404),
        ("PATCH", "/kv/k", b"", 405),
        ("PUT", "/kv/k", b"plain", 400),
        ("PUT", "/kv/k", b'{"value": "x"', 400),
        ("PUT", "/kv/k", b'{"value": 1}', 400),
        ("PUT", "/kv/k", b'{"value": "1", "valeu": "2"}', 400),
        ("PUT", "/kv/k", b"{}", 400),
        ("PUT", "/kv/k", msgspec.json.encode({"value": "x" * (MAX_VALUE_BYTES + 1)}), 413),
        ("PUT", "/kv/k", msgspec.json.encode({"value": "ž" * (MAX_VALUE_BYTES // 2 + 1)}), 413),
        ("PUT", "/kv/" + "k" * (MAX_KEY_BYTES + 1), b'{"value": "1"}', 414),
        ("PUT", "/kv/k?write=4", b'{"value": "1"}', 400),
        ("PUT", "/kv/k?write=two", b'{"value": "1"}', 400),
        ("GET", "/kv/k?read=0", b"", 400),
        ("POST", "/kv/k", b'{"value": "1"}', 400),
        ("POST", "/kv/k?read=1", b'{"expected": null, "value": "1"}', 400),
        ("GET", "/replica?part=1&of=1", b"", 400),
        ("GET", "/replica?part=x", b"", 400),
        ("POST", "/replica", b'[{"type": "Query"}]', 400),
        ("POST", "/replica", b'{"type": "Query", "key": "k"}', 400),
        ("POST", "/replica", b'[{"type": "Forget", "key": "k"}]', 400),
        ("POST", "/replica", b'[{"type": "Keep", "key": "k", "home": "n9", "entry": {"value": "1"}}]', 400),
        ("POST", "/repair/ranges", b'["n9", [""]]', 409),
        ("POST", "/repair/entries", b'{"k": 1}', 400),
    ],
)
def test_a_request_that_makes_no_sense_is_refused(tmp_path: Path, method: str, path: str, body: bytes, status: int) -> None:
    async def scenario(nodes: Nodes) -> None:
        await nodes.start("n1", "n2")
        response = await nodes.clients["n1"].request(method, path, body, timeout_s=20, headers=N1.headers)
        assert response.status == status
        assert await nodes.get("n1") == (200, {"value": None})

    store(tmp_path, scenario)


def test_a_replica_tells_what_it_holds_in_plain_json(tmp_path: Path) -> None:
    async def scenario(nodes: Nodes) -> None:
        await nodes.start("n1")
        body = msgspec.json.encode([Store("k", Entry(Version(3, "n9", 1, 1), "three"))])
        await nodes.clients["n1"].request("POST", "/replica", body, timeout_s=20, headers=N1.headers)
        query = b'[{"type": "Query", "key": "k"}]'
        told = await nodes.clients["n1"].request("POST", "/replica", query, timeout_s=20, headers=N1.headers)
        assert told.decode(object) == [{"version": {"counter": 3, "writer": "n9", "start": 1, "number": 1}, "value": "three"}]

    store(tmp_path, scenario)


def test_a_deleted_key_reads_as_null_and_may_be_written_again(tmp_path: Path) -> None:
    async def scenario(nodes: Nodes) -> None:
        await nodes.start("n1", "n2", "n3")
        await nodes.put("n1", "1")
        assert await nodes.ask("n2", "DELETE", "/kv/k") == (200, {"value": None})
        assert await nodes.get("n3") == (200, {"value": None})
        await nodes.put("n3", "2")
        assert await nodes.get("n1") == (200, {"value": "2"})

    store(tmp_path, scenario)


def test_compare_and_set_tells_whether_it_did(tmp_path: Path) -> None:
    async def scenario(nodes: Nodes) -> None:
        await nodes.start("n1", "n2", "n3")
        assert await nodes.ask("n1", "POST", "/kv/k", {"expected": None, "value": "1"}) == (
            200,
            {"swapped": True, "value": None},
        )
        assert await nodes.ask("n2", "POST", "/kv/k", {"expected": None, "value": "2"}) == (
            200,
            {"swapped": False, "value": "1"},
        )
        assert await nodes.ask("n3", "POST", "/kv/k", {"expected": "1", "value": "3"}) == (
            200,
            {"swapped": True, "value": None},
        )
        assert await nodes.get("n1") == (200, {"value": "3"})
        together = [nodes.ask(f"n{at % 3 + 1}", "POST", "/kv/k", {"expected": "3", "value": f"of {at}"}) for at in range(12)]
        answers = [answer for status, answer in await asyncio.gather(*together) if status == 200]
        assert sum(answer == {"swapped": True, "value": None} for answer in answers) <= 1

    store(tmp_path, scenario)


@pytest.mark.parametrize("config", [{"read": 1}, {"tombstone_grace_s": 5.0}])
def test_compare_and_set_is_refused_if_it_is_not_promised(tmp_path: Path, config: dict[str, object]) -> None:
    async def scenario(nodes: Nodes) -> None:
        await nodes.start("n1", "n2")
        status, answer = await nodes.ask("n1", "POST", "/kv/k", {"expected": None, "value": "1"})
        assert status == 501
        assert "compare-and-set is not promised" in str(answer)

    store(tmp_path, scenario, phase_timeout_s=PATIENT_S, **config)


@pytest.mark.slow
def test_a_request_may_ask_for_quorums_of_its_own(tmp_path: Path) -> None:
    async def scenario(nodes: Nodes) -> None:
        await nodes.start("n1", "n2")
        assert (await nodes.ask("n1", "PUT", "/kv/k?write=3", {"value": "1"}))[0] == 504
        assert (await nodes.ask("n1", "PUT", "/kv/k?write=1", {"value": "2"}))[0] == 200
        assert await nodes.get("n1") == (200, {"value": "2"})

    async def alone(nodes: Nodes) -> None:
        await nodes.start("n1")
        assert (await nodes.put("n1", "1"))[0] == 503
        assert (await nodes.ask("n1", "PUT", "/kv/k?read=1&write=1", {"value": "1"}))[0] == 200
        assert (await nodes.get("n1"))[0] == 503
        assert await nodes.ask("n1", "GET", "/kv/k?read=1&write=1") == (200, {"value": "1"})

    store(tmp_path / "two", scenario, phase_timeout_s=0.5)
    store(tmp_path / "one", alone, phase_timeout_s=0.5)


def test_a_node_does_not_start_on_the_data_of_another_one(tmp_path: Path) -> None:
    async def scenario(nodes: Nodes) -> None:
        await nodes.start("n1", "n2")
        await nodes.put("n1", "1")
        await nodes.stop("n1")
        with pytest.raises(OtherNode, match="of n1 of cluster 'quorum', and this is n1 of cluster 'b': give it its own folder"):
            quorum_node.Server(NodeContext(nodes.spec("n1")), config("b"))
        (tmp_path / "n1").rename(tmp_path / "n3")
        with pytest.raises(OtherNode, match="of n1 of cluster 'quorum', and this is n3 of cluster 'quorum': give it its own"):
            quorum_node.Server(NodeContext(nodes.spec("n3")), config("quorum"))
        with pytest.raises(SystemExit):
            await quorum_node.main(NodeContext(nodes.spec("n3")))

    def config(cluster: str) -> quorum_node.Config:
        return quorum_node.Config(replicas=3, read=2, write=2, cluster=cluster)

    store(tmp_path, scenario)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/replica", b'[{"type": "Query", "key": "k"}]'),
        ("GET", "/replica", b""),
        ("POST", "/repair/ranges", b'["n2", [""]]'),
        ("POST", "/repair/entries", b'["k"]'),
    ],
)
@pytest.mark.parametrize(
    ("headers", "meant"),
    [
        (Owner("b", "n1").headers, "is for n1 of cluster 'b'"),
        (Owner("quorum", "n2").headers, "is for n2 of cluster 'quorum'"),
        ((), "does not say whom it is for"),
    ],
)
def test_a_question_of_another_cluster_or_for_another_node_is_not_answered(
    tmp_path: Path, method: str, path: str, body: bytes, headers: Headers, meant: str
) -> None:
    async def scenario(nodes: Nodes) -> None:
        await nodes.start("n1")
        response = await nodes.clients["n1"].request(method, path, body, timeout_s=20, headers=headers)
        assert (response.status, response.body) == (421, f"this is n1 of cluster 'quorum', and the question {meant}".encode())

    store(tmp_path, scenario)


@pytest.mark.slow
def test_nodes_of_two_clusters_make_no_quorum(tmp_path: Path) -> None:
    async def scenario(nodes: Nodes) -> None:
        await nodes.start("n1")
        nodes.config["cluster"] = "b"
        await nodes.start("n3")
        refused = {"outcome": "failed", "error": "query: 2 of 3 replicas needed, answers of: "}
        assert await nodes.put("n1", "1") == (503, {**refused, "error": refused["error"] + "n1"})
        assert await nodes.get("n3") == (503, {**refused, "error": refused["error"] + "n3"})

    store(tmp_path, scenario, phase_timeout_s=0.5)
