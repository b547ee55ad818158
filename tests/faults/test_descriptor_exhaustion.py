"""DescriptorExhaustion: a node can open nothing, not even connections, until the fault ends."""

from __future__ import annotations

import asyncio
import resource
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faults import descriptor_exhaustion
from faults.descriptor_exhaustion import DescriptorExhaustion, limit_that_leaves
from harness.cluster.process_limits import limit_of
from harness.http.client import HttpClient
from harness.model.errors import FaultError, UsageError
from tests.helpers.subject import Stage


def _limit(stage: Stage) -> float:
    return limit_of(stage.cluster.processes.pid("n1"), resource.RLIMIT_NOFILE)


def test_open_connection_works_on_and_a_new_one_is_not_answered(tmp_path: Path) -> None:
    async def scene() -> None:
        async with Stage.opened(tmp_path) as stage:
            before = _limit(stage)
            client = HttpClient(stage.cluster.address("n1"))
            assert (await client.request("GET", "/", timeout_s=30)).body == b"done"
            fault, targets = DescriptorExhaustion("n1"), stage.targets("n1")
            injected = await fault.inject(stage.cluster, targets)
            with pytest.raises(FaultError):
                await stage.cluster.processes.answer_ms("n1", 0.3)
            await asyncio.sleep(0.6)  # the fault itself tries a connection, for half a second at most
            assert (await client.request("GET", "/open?files=1", timeout_s=30)).body == b"EMFILE"
            healed = await fault.heal(stage.cluster, targets, injected)
            client.close()
            assert healed.acted
            assert "and a new connection was not answered" in healed.text
            assert _limit(stage) == before
            assert await stage.ask("n1", "/open?files=1") == "done"

    asyncio.run(scene())


def test_spare_descriptors_can_be_used_up(tmp_path: Path) -> None:
    async def scene() -> None:
        async with Stage.opened(tmp_path) as stage:
            client = HttpClient(stage.cluster.address("n1"))
            await client.request("GET", "/", timeout_s=30)
            fault, targets = DescriptorExhaustion("n1", spare=2), stage.targets("n1")
            injected = await fault.inject(stage.cluster, targets)
            assert (await client.request("GET", "/open?files=2", timeout_s=30)).body == b"done"
            assert (await client.request("GET", "/open?files=1", timeout_s=30)).body == b"EMFILE"
            healed = await fault.heal(stage.cluster, targets, injected)
            client.close()
            assert healed.acted

    asyncio.run(scene())


def test_node_that_opens_nothing_has_not_run_out(tmp_path: Path) -> None:
    async def scene() -> None:
        async with Stage.opened(tmp_path) as stage:
            _, healed = await stage.during(DescriptorExhaustion("n1", spare=50), "n1", lambda: stage.ask("n1", "/"))
            assert healed.acted is False
            assert " descriptors open" in healed.text

    asyncio.run(scene())


def test_node_that_has_ended_and_may_not_be_inspected_any_more_ends_only_the_watch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As for anybody but root until the warden has reaped it."""

    def refused(pid: int) -> set[int]:
        raise PermissionError(13, "Permission denied", f"/proc/{pid}/fd")

    async def scene() -> None:
        async with Stage.opened(tmp_path) as stage:
            fault, targets = DescriptorExhaustion("n1"), stage.targets("n1")
            injected = await fault.inject(stage.cluster, targets)
            monkeypatch.setattr(descriptor_exhaustion, "descriptors", refused)
            healed = await fault.heal(stage.cluster, targets, injected)
            assert " descriptors open until it ended" in healed.text

    asyncio.run(scene())


@given(open_=st.sets(st.integers(0, 40)), spare=st.integers(0, 10))
def test_limit_leaves_exactly_so_many_numbers_free(open_: set[int], spare: int) -> None:
    limit = limit_that_leaves(spare, open_)
    assert sum(number not in open_ for number in range(limit)) == spare
    assert limit not in open_  # the next one that would be opened


@pytest.mark.parametrize("spare", [-1, 1_000_001])
def test_number_that_makes_no_sense_is_refused(spare: int) -> None:
    with pytest.raises(UsageError, match="spare"):
        DescriptorExhaustion("n1", spare=spare)
