"""Reload: nodes load another version one after another, or refuse it, and the evidence says whether they did as they should."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from faults.reload import Reload
from harness.cluster.cluster import Cluster
from harness.model.evidence import Evidence, Targets
from systems.serving.deployed import DeployedServing
from tests.helpers.effort import left_to_ci

DEADLINE_S = 30.0


@pytest.mark.parametrize(
    ("version", "refused", "acted", "told"),
    [
        ("v2", False, True, "r1 loaded v2"),
        left_to_ci("v2", True, False, "r1 loaded v2"),
        left_to_ci("bad-v2", False, False, "r1 did not load bad-v2: "),
        left_to_ci("bad-v2", True, True, "r1 did not load bad-v2: "),
    ],
)
def test_it_acted_if_every_node_did_as_it_should(tmp_path: Path, version: str, refused: bool, acted: bool, told: str) -> None:
    async def scene() -> Evidence:
        system = DeployedServing(replicas=1)
        async with asyncio.timeout(DEADLINE_S), Cluster.opened(system, tmp_path, seed=1, plane="embedded") as cluster:
            fault = Reload("r1", version=version, refused=refused)
            return await fault.inject(cluster, Targets(label="w0", nodes=("r1",), links=()))

    found = asyncio.run(scene())
    assert found.acted is acted
    assert told in found.text
