"""Serving that is deployed while it runs: versions, and the drill of a deploy under load."""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
from pathlib import Path
from random import Random

import msgspec
import pytest

from faults.deploy import Deploy
from faults.kill import Kill
from faults.reload import Reload
from harness.http.client import HttpClient
from harness.model.errors import UsageError
from harness.model.rollout import HasDeploy, HasReload
from harness.run.catalog import find_drill
from harness.run.runner import run
from harness.run.spec import run_spec_of
from harness.simulation.seed_run import run_seed
from harness.simulation.swarm import PLAIN
from systems.serving import Serving, artifacts
from systems.serving.deployed import DeployedServing
from tests.helpers.closing import closing
from tests.helpers.one_replica import predict, with_replica
from workloads.versioned_predictions import VersionedPredictions


def test_can_be_deployed_and_says_which_versions_there_are() -> None:
    system = DeployedServing()
    assert isinstance(system, HasDeploy)
    assert not isinstance(Serving(), HasDeploy)
    with pytest.raises(UsageError, match="No version called 'v3'"):
        Deploy("all", version="v3").check(system)


def test_reload_needs_a_system_that_can_and_a_version_that_there_is() -> None:
    assert isinstance(DeployedServing(), HasReload)
    with pytest.raises(UsageError, match="No version called 'v3'"):
        Reload("all", version="v3").check(DeployedServing())


def test_a_replica_takes_another_version_or_says_why_not(tmp_path: Path) -> None:
    system = DeployedServing()
    system.prepare()
    digit, versions = artifacts.digits(artifacts.folder())[0], artifacts.versions(artifacts.folder())

    async def scenario(client: HttpClient) -> None:
        assert await system.reload("r1", "v2", {"r1": client.address}) is None
        assert (await predict(client, digit)).model == versions["v2"].fingerprint
        why = await system.reload("r1", "bad-v2", {"r1": client.address})
        assert why is not None
        assert "is not loaded" in why
        assert (await predict(client, digit)).model == versions["v2"].fingerprint

    with_replica(artifacts.folder(), tmp_path, scenario)


def test_a_version_that_answers_garbage_is_not_verified() -> None:
    system = DeployedServing()
    system.prepare()

    async def garbage(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\noops")
        await writer.drain()

    async def scenario() -> str | None:
        async with closing(asyncio.start_server(garbage, "127.0.0.1", 0)) as server:
            address = server.sockets[0].getsockname()
            return await system.verify("r1", "v2", {"r1": address, "balancer": address})

    why = asyncio.run(scenario())
    assert why is not None
    assert "invalid answer" in why


def test_the_versions_answer_differently() -> None:
    DeployedServing().prepare()
    versions = artifacts.versions(artifacts.folder())
    assert versions["v1"].fingerprint != versions["v2"].fingerprint
    assert versions["v1"].answers != versions["v2"].answers


def test_each_image_comes_with_both_versions_answers() -> None:
    DeployedServing().prepare()
    versions = artifacts.versions(artifacts.folder())
    for call in itertools.islice(VersionedPredictions().calls(Random(1)), 50):
        right = {version.fingerprint: version.answers[int(call.key)] for version in versions.values()}
        assert call.expected == msgspec.json.encode(right).decode()


@pytest.mark.slow
def test_a_node_that_another_fault_has_stopped_comes_back_with_the_old_version() -> None:
    """An operator's deploy meets a crashed node: it must not leave the bad version there."""
    DeployedServing().prepare()
    drill = find_drill("serving/bad_deploy_rolled_back", []).drill
    crashed = dataclasses.replace(drill, faults=[Kill("r1").between(0.9, 1.6), Deploy("all", version="bad-v2").between(1, 5)])
    outcome = run_seed("serving/crashed_in_deploy", crashed, 1, swarm=PLAIN).outcome
    assert (outcome.verdict, outcome.found) == ("unknown", ())
    assert "no node was replaced: stuck (r1 as bad-v2: r1 does not run" in outcome.why


@pytest.mark.nightly
@pytest.mark.parametrize("drill", ["serving/rolling_deploy", "serving/bad_deploy_rolled_back", "serving/model_reloaded"])
def test_a_deploy_under_load_fails_no_request(drill: str, tmp_path: Path) -> None:
    result = run(run_spec_of(find_drill(drill, []), 5, [], "embedded"), runs=tmp_path).result
    assert result.verdict == "pass"
