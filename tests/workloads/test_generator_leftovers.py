"""Calls that are over before their requests: the load generator counts them, if its clients tell."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
import uvloop

from harness.model.codec import describe
from harness.model.load import Load
from harness.model.system import Address, Answer, Call, Node
from harness.node.context import NodeContext as RunningNode
from harness.node.context import NodeSpec
from tests.workloads.test_generator import Keys, Moody
from workloads.load.generator import Generator, Task

LOAD = Load(rate=200, seconds=0.1, clients=4, timeout_ms=50, arrivals="constant")


@dataclass(frozen=True, kw_only=True)
class Asked:
    """Not a real system: its clients tell how many of their requests are under way, and may `leave` those given up."""

    leaves: bool

    def nodes(self) -> Sequence[Node]:
        return []

    def entries(self) -> Sequence[str]:
        return []

    def client(self, index: int, entries: Mapping[str, Address]) -> AskedClient:
        return AskedClient(leaves=self.leaves)


class AskedClient:
    def __init__(self, *, leaves: bool) -> None:
        self._leaves = leaves
        self.under_way = 0

    async def invoke(self, call: Call) -> Answer:
        self.under_way += 1
        try:
            if call.key == "hang":
                await asyncio.Event().wait()
            return Answer(call.key)
        finally:
            if call.key != "hang" or not self._leaves:
                self.under_way -= 1

    async def close(self) -> None: ...


def left(tmp_path: Path, system: Moody | Asked, *keys: str) -> Mapping[str, int] | None:
    """What a generator reports as unsettled after a load; None if it reports nothing."""
    node = RunningNode(NodeSpec(name="client", start=0, host="127.0.0.1", port=1, data=str(tmp_path), log="", seed=1))

    async def main() -> None:
        generator = Generator(node, Task(system=describe(system), workload=describe(Keys(keys=keys)), load=LOAD, seed=1))
        generator.start(time.monotonic_ns() + 20_000_000)
        while not generator.finished:
            await asyncio.sleep(0.01)
        await generator.close()

    uvloop.run(main())
    return None if node._unsettled is None else node._unsettled()


@pytest.mark.parametrize(("leaves", "key"), [(False, "fine"), (False, "hang"), (True, "fine")])
def test_a_client_that_ends_its_requests_leaves_nothing(tmp_path: Path, leaves: bool, key: str) -> None:
    assert left(tmp_path, Asked(leaves=leaves), key) == {"calls that were over before their requests": 0}


def test_a_request_that_outlasts_its_call_is_counted(tmp_path: Path) -> None:
    found = left(tmp_path, Asked(leaves=True), "hang", "fine")
    assert found is not None
    assert found["calls that were over before their requests"] > 0


def test_a_client_that_does_not_tell_is_not_judged(tmp_path: Path) -> None:
    assert left(tmp_path, Moody(), "hang") is None
