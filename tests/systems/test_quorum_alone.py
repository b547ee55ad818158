"""A quorum store of one node, which has no other one to repair itself from."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.cluster.ports import HOST
from harness.node.context import NodeContext, NodeSpec
from systems.quorum import Quorum
from systems.quorum import upkeep as upkeep_module
from systems.quorum.messages import Entry
from systems.quorum.node import Config, Server
from systems.quorum.upkeep import Digests


def node(tmp_path: Path) -> Server:
    """The node of such a store."""
    config = Quorum(replicas=1, read=1, write=1).nodes()[0].config
    spec = NodeSpec(
        name="n1", start=0, host=HOST, port=1, seed=1, data=str(tmp_path / "n1"), log="", peers={}, config=dict(config)
    )  # fmt: skip
    context = NodeContext(spec)
    return Server(context, context.config(Config))


def test_its_background_work_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upkeep_module, "LOOK_EVERY_S", 0.0)
    looks, often = 0, asyncio.Event()
    fold = Digests.fold

    async def counted(digests: Digests, seen: Callable[[str, Entry], None]) -> None:
        nonlocal looks
        await fold(digests, seen)
        looks += 1
        if looks == 3:
            often.set()

    async def scene() -> None:
        working, looked = asyncio.create_task(node(tmp_path).maintain()), asyncio.create_task(often.wait())
        await asyncio.wait((working, looked), return_when=asyncio.FIRST_COMPLETED)
        assert not working.done()
        working.cancel()

    monkeypatch.setattr(Digests, "fold", counted)
    asyncio.run(scene())


def test_it_does_not_claim_that_it_held_nothing_when_it_has_lost_its_log(tmp_path: Path) -> None:
    assert node(tmp_path).rebuilt({}) is None
