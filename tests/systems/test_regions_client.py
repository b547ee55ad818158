"""Which region a user asks: home, another one while home is away, and home again."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from harness.http.message import Unreachable
from harness.model.system import Address, Answer, Call, CallFailed
from systems.regions import client as regions_client
from systems.regions.client import RegionClient

CALL = Call("predict", "7")


class World:
    """Regions of which some do not answer."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.down: set[str] = set()
        self.asked: list[str] = []
        world = self

        class Edge:
            def __init__(self, _: Path, address: Address) -> None:
                self._name = address[0]

            async def invoke(self, call: Call) -> Answer:
                world.asked.append(self._name)
                if self._name in world.down:
                    raise CallFailed("gone") from Unreachable("gone")
                return Answer("1", self._name)

        monkeypatch.setattr(regions_client, "PredictClient", Edge)
        self.client = RegionClient(Path(), 0, [(name, (name, 1)) for name in ("eu", "us", "asia")])

    def call(self) -> str:
        """Where a call was answered."""
        return str(asyncio.run(self.client.invoke(CALL)).node)


def test_a_user_asks_home_and_another_region_while_home_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch)
    assert world.call() == "eu"
    world.down = {"eu"}
    assert world.call() == "us"
    assert world.asked == ["eu", "eu", "us"]
    world.down = set()
    assert [world.call() for _ in range(10)] == ["us"] * 10
    assert world.call() == "eu"


def test_a_user_away_from_home_asks_home_before_giving_up_and_stays_there(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch)
    world.down = {"eu"}
    assert world.call() == "us"
    world.down = {"us", "asia"}
    assert world.call() == "eu"
    world.down = set()
    assert world.call() == "eu"


def test_a_user_whom_no_region_answers_is_told_so_after_asking_each_once(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch)
    world.down = {"eu", "us", "asia"}
    for order in (["eu", "us", "asia"], ["us", "asia", "eu"]):
        world.asked.clear()
        with pytest.raises(CallFailed, match="no region answered"):
            world.call()
        assert world.asked == order
