"""AnswerErrors: the node's process answers requests with 500, and the node's own code never sees them."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path

import pytest

from faults.answer_errors import AnswerErrors
from harness.cluster.cluster import Cluster
from harness.http.client import HttpClient
from harness.model.errors import UsageError
from harness.model.evidence import Targets
from harness.model.system import System
from systems.featured import Featured
from systems.foreign.redis import Redis
from systems.serving import Serving
from tests.helpers.effort import left_to_ci

DEADLINE_S = 30.0


async def statuses(cluster: Cluster, node: str, path: str, times: int) -> Counter[int]:
    client = HttpClient(cluster.address(node))
    try:
        return Counter([(await client.request("GET", path, timeout_s=5.0)).status for _ in range(times)])
    finally:
        client.close()


@pytest.mark.parametrize(
    ("system", "node", "path", "share", "errors"),
    [
        (Featured(replicas=1), "features", "/features?user=u1", 0.25, 2),
        (Featured(replicas=1), "features", "/features?user=u1", 1.0, 8),
        left_to_ci(Serving(replicas=1), "r1", "/status", 1.0, 8),
    ],
    ids=["every fourth", "all", "all of batches"],
)
def test_a_share_of_the_requests_fails_and_all_are_well_again(
    tmp_path: Path, system: System, node: str, path: str, share: float, errors: int
) -> None:
    async def scene() -> None:
        async with asyncio.timeout(DEADLINE_S), Cluster.opened(system, tmp_path, seed=1, plane="embedded") as cluster:
            fault, targets = AnswerErrors(node, share=share), Targets(label="w0", nodes=(node,), links=())
            injected = await fault.inject(cluster, targets)
            assert (await statuses(cluster, node, path, 8))[500] == errors
            assert set(await statuses(cluster, node, "/-/node", 4)) == {200}
            healed = await fault.heal(cluster, targets, injected)
            assert healed.acted
            assert "requests answered 500" in healed.text
            assert set(await statuses(cluster, node, path, 8)) == {200}

    asyncio.run(scene())


@pytest.mark.slow
def test_without_a_request_it_did_not_act(tmp_path: Path) -> None:
    async def scene() -> None:
        async with asyncio.timeout(DEADLINE_S), Cluster.opened(Featured(), tmp_path, seed=1, plane="embedded") as cluster:
            fault, targets = AnswerErrors("features"), Targets(label="w0", nodes=("features",), links=())
            healed = await fault.heal(cluster, targets, await fault.inject(cluster, targets))
            assert healed.acted is False

    asyncio.run(scene())


@pytest.mark.slow
def test_the_errors_have_the_status_that_was_asked_for(tmp_path: Path) -> None:
    async def scene() -> None:
        async with asyncio.timeout(DEADLINE_S), Cluster.opened(Featured(), tmp_path, seed=1, plane="embedded") as cluster:
            fault, targets = AnswerErrors("features", status=429), Targets(label="w0", nodes=("features",), links=())
            injected = await fault.inject(cluster, targets)
            assert set(await statuses(cluster, "features", "/features?user=u1", 3)) == {429}
            assert "3 requests answered 429" in (await fault.heal(cluster, targets, injected)).text

    asyncio.run(scene())


@pytest.mark.slow
def test_while_statuses_overlap_the_highest_is_answered(tmp_path: Path) -> None:
    async def scene() -> None:
        async with asyncio.timeout(DEADLINE_S), Cluster.opened(Featured(), tmp_path, seed=1, plane="embedded") as cluster:
            held = []
            for label, status in (("w0", 429), ("w1", 503)):
                fault, targets = AnswerErrors("features", status=status), Targets(label=label, nodes=("features",), links=())
                held.append((fault, targets, await fault.inject(cluster, targets)))
            assert set(await statuses(cluster, "features", "/features?user=u1", 3)) == {503}
            for (fault, targets, injected), left in zip(reversed(held), (429, 200), strict=True):
                assert (await fault.heal(cluster, targets, injected)).acted
                assert set(await statuses(cluster, "features", "/features?user=u1", 3)) == {left}

    asyncio.run(scene())


@pytest.mark.parametrize("status", [0, 200, 399, 600])
def test_a_status_is_one_of_an_error(status: int) -> None:
    with pytest.raises(UsageError, match="the status of an error"):
        AnswerErrors("n1", status=status)


@pytest.mark.parametrize("share", [0.0, -1.0, 1.5, float("nan")])
def test_a_share_is_a_share(share: float) -> None:
    with pytest.raises(UsageError, match="a share of the requests"):
        AnswerErrors("n1", share=share)


def test_a_foreign_program_answers_for_itself() -> None:
    with pytest.raises(UsageError, match="redis is a foreign program"):
        AnswerErrors("redis").check(Redis())
