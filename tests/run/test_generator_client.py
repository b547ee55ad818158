"""What the runner says of a load generator that does not answer."""

from __future__ import annotations

import asyncio

import pytest

from harness.cluster.ports import HOST, reserved
from harness.model.errors import HarnessError
from harness.run import generator_client
from harness.run.generator_client import GeneratorClient


async def never() -> None:
    await asyncio.get_running_loop().create_future()


async def ends_with_its_warden() -> None:
    raise HarnessError("The process that starts the nodes has ended.")


def test_the_cause_is_told_if_there_is_one() -> None:
    with reserved(1) as [port], pytest.raises(HarnessError, match=r"^The process that starts the nodes has ended\.$"):
        asyncio.run(GeneratorClient((HOST, port), ends_with_its_warden).progress())


def test_without_a_cause_it_says_what_did_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generator_client, "_CAUSE_S", 0.01)
    with reserved(1) as [port], pytest.raises(HarnessError, match=r"^The load generator did not answer GET /progress: no conn"):
        asyncio.run(GeneratorClient((HOST, port), never).progress())
