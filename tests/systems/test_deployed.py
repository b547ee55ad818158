"""Serving that is deployed while it runs: versions, and the drill of a deploy under load."""

from __future__ import annotations

import itertools
from pathlib import Path
from random import Random

import msgspec
import pytest

from faults.deploy import Deploy
from harness.catalog import find_drill
from harness.errors import UsageError
from harness.rollout import HasDeploy
from harness.runner import order_of, run
from systems.deployed import DeployedServing
from systems.serving import Serving, artifacts
from workloads.versioned_predictions import VersionedPredictions


def test_can_be_deployed_and_says_which_versions_there_are() -> None:
    system = DeployedServing()
    assert isinstance(system, HasDeploy)
    assert not isinstance(Serving(), HasDeploy)
    with pytest.raises(UsageError, match="No version called 'v3'"):
        Deploy("all", version="v3").check(system)


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


@pytest.mark.nightly
@pytest.mark.parametrize("drill", ["serving/rolling_deploy", "serving/bad_deploy_rolled_back"])
def test_a_deploy_under_load_fails_no_request(drill: str, tmp_path: Path) -> None:
    result = run(order_of(find_drill(drill, []), 5, [], "embedded"), runs=tmp_path).result
    assert result.verdict == "pass"
