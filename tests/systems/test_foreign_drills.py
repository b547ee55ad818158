"""Foreign programs under the harness: a safe setting passes, and an unsafe one is caught."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from harness.cluster.requirements import missing_for
from harness.run import catalog
from harness.run.runner import run
from harness.run.spec import run_spec_of

pytestmark = pytest.mark.slow

DRILLS = (
    "etcd/leader_partitioned",
    "etcd/serializable_reads",
    "redis/failover_with_wait",
    "redis/failover_without_wait",
    "postgresql/failover_synchronous",
    "postgresql/failover_asynchronous",
    pytest.param("cassandra/transactions", marks=pytest.mark.nightly),
    pytest.param("cassandra/one_stale", marks=pytest.mark.nightly),
)


@pytest.mark.parametrize("name", DRILLS)
def test_it_ends_as_its_drill_says(name: str, tmp_path: Path) -> None:
    named = catalog.find_drill(name)
    if missing := missing_for(named.drill.system, namespaces=False):
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(missing)
    checks = {check.name: check for check in run(run_spec_of(named, 1, (), "embedded"), runs=tmp_path).result.checks}
    assert checks["faults_acted"].valid, checks
    for checker in named.drill.checks:
        right = named.drill.caught_by is not checker
        assert checks[checker.__name__].valid is right, checks
