"""States that no edge may show, and states that a correct one may."""

from __future__ import annotations

import math
from collections.abc import Mapping

from harness.http.client import Tally
from systems.parts.breaker import Breaker
from systems.regions.edge import BREAKER
from systems.regions.invariant import EdgesKeepTheirRules, Shown, Way


class NoBalancers:
    def broken(self, states: Mapping[str, object]) -> str | None:
        return None


class Edge:
    """The edge of a region with two others, driven by hand."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.asked = {name: Tally() for name in ("eu-balancer", "us", "asia")}
        self.distances_s = dict.fromkeys(self.asked, 0.0)
        self.breakers = {name: Breaker(BREAKER, lambda: self.now_s) for name in self.asked}
        self._invariant = EdgesKeepTheirRules(NoBalancers())

    def ask(self, name: str, times: int, *, status: int = 200) -> None:
        for _ in range(times):
            permit = self.breakers[name].allow()
            assert permit is not None
            permit.ok(0.0)
            self.asked[name].answered[status] += 1

    def look(self) -> str | None:
        self.now_s += 0.01
        ways = [
            Way(name=name, breaker=self.breakers[name], asked=asked, refused=0, distance_s=self.distances_s[name])
            for name, asked in self.asked.items()
        ]
        shown = Shown(
            now_s=self.now_s, settings=BREAKER, ways=ways, home="eu-balancer", guests=0, guests_most=16, under_way=0
        )  # fmt: skip
        return self._invariant.broken({"eu": shown})


def test_a_region_that_is_well_is_asked_now_and_then() -> None:
    edge = Edge()
    assert edge.look() is None
    edge.ask("us", 100)
    assert edge.look() is None
    edge.ask("asia", 1)
    assert edge.look() is None
    edge.ask("us", 100)
    edge.ask("eu-balancer", 1000)
    assert edge.look() is None
    edge.ask("us", 1)
    assert "asia was not asked once in 101 requests to other regions, and is not left out" in (edge.look() or "")


def test_a_region_that_is_left_out_need_not_be_asked() -> None:
    edge = Edge()
    assert edge.look() is None
    for _ in range(BREAKER.least_calls):
        permit = edge.breakers["asia"].allow()
        assert permit is not None
        permit.failed(0.0)
        edge.asked["asia"].unanswered += 1
    assert edge.look() is None
    for _ in range(3):
        edge.ask("us", 90)
        assert edge.look() is None


def test_a_distance_follows_from_what_was_served() -> None:
    edge = Edge()
    assert edge.look() is None
    edge.distances_s["us"] = math.inf
    assert edge.look() is None
    edge.ask("us", 1)
    edge.distances_s["us"] = 0.04
    assert edge.look() is None
    edge.ask("us", 1, status=503)
    assert edge.look() is None
    edge.ask("us", 1, status=503)
    edge.distances_s["us"] = 0.03
    assert "the distance of us was 0.0400 s and is 0.0300 s, and it served nothing" in (edge.look() or "")


def test_a_distance_that_was_measured_stays_known() -> None:
    edge = Edge()
    edge.distances_s["us"] = math.inf
    assert edge.look() is None
    edge.ask("us", 1)
    edge.distances_s["us"] = 0.04
    assert edge.look() is None
    edge.distances_s["us"] = math.inf
    assert "the distance of us is not known, and it has served 1 requests" in (edge.look() or "")


def test_no_answer_counts_for_more_than_its_weight() -> None:
    edge = Edge()
    edge.distances_s["us"] = math.inf
    assert edge.look() is None
    edge.ask("us", 1)
    edge.distances_s["us"] = 0.1
    assert edge.look() is None
    edge.ask("us", 2)
    edge.distances_s["us"] = 0.1 * 0.8 * 0.8
    assert edge.look() is None
    edge.ask("us", 1)
    edge.distances_s["us"] = 0.02
    assert "and it served 1 requests, each of which has a weight of 0.2" in (edge.look() or "")
