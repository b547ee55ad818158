"""Where a region sends its users' requests, and how many guests it admits."""

from __future__ import annotations

import pytest

from harness.model.errors import UsageError
from harness.model.system import links_of
from systems.parts.breaker import Breaker
from systems.regions import BUGS, Regions
from systems.regions.bugs import Rules
from systems.regions.edge import BREAKER
from systems.regions.routing import Guests, Route, Routes


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def routes(clock: Clock | None = None, rules: Rules | None = None) -> tuple[Routes, dict[str, Route]]:
    ways = {name: Route(name, Breaker(BREAKER, clock or Clock())) for name in ("home", "us", "asia")}
    return Routes(ways["home"], [ways["us"], ways["asia"]], rules or Rules()), ways


def chosen(found: Routes, *tried: str) -> str | None:
    way = found.choose(tried)
    return None if way is None else way.name


def fail(way: Route, times: int = 8) -> None:
    for _ in range(times):
        permit = way.breaker.allow()
        assert permit is not None
        permit.failed()


def test_home_comes_first_and_then_the_nearest() -> None:
    found, ways = routes()
    assert chosen(found) == "home"
    for name, took_s in (("us", 0.08), ("asia", 0.02)):
        ways[name].asked()
        ways[name].answered(took_s)
    assert chosen(found, "home") == "asia"
    assert chosen(found, "home", "asia") == "us"
    assert chosen(found, "home", "asia", "us") is None


def test_each_is_tried_with_one_request_to_know_how_far_it_is() -> None:
    found, ways = routes()
    assert chosen(found, "home") == "us"
    ways["us"].asked()
    assert chosen(found, "home") == "asia"
    ways["asia"].asked()
    ways["us"].answered(0.01)
    assert chosen(found, "home") == "us"


def test_a_region_that_could_not_answer_at_first_is_asked_again_now_and_then() -> None:
    found, ways = routes()
    ways["us"].asked()  # and never answered
    ways["asia"].answered(0.15)
    asked = [chosen(found, "home") for _ in range(60)]
    assert asked.count("us") == 1
    assert asked.count("asia") == 59
    ways["us"].answered(0.01)
    assert chosen(found, "home") == "us"


def test_a_region_that_does_not_answer_is_left_out_until_it_does() -> None:
    clock = Clock()
    found, ways = routes(clock)
    fail(ways["home"])
    assert chosen(found) == "us"
    clock.now_s = BREAKER.open_s + 0.01
    assert chosen(found) == "home", "a few requests find out"
    for _ in range(BREAKER.probes):
        permit = ways["home"].breaker.allow()
        assert permit is not None
        permit.ok()
    clock.now_s += 0.01
    assert chosen(found) == "home"


def test_guests_are_let_in_while_there_is_room() -> None:
    guests = Guests(2, Rules())
    assert [guests.enter() for _ in range(3)] == [True, True, False]
    guests.leave(answered=False)
    assert guests.enter()
    guests.leave(answered=True)
    guests.leave(answered=True)
    assert guests.inside == 0


def test_every_region_has_an_edge_a_balancer_and_replicas_of_its_own() -> None:
    system = Regions(regions=("eu", "us"), replicas=2)
    assert [node.name for node in system.nodes()] == [
        "eu-r1", "eu-r2", "eu-balancer", "eu", "us-r1", "us-r2", "us-balancer", "us",
    ]  # fmt: skip
    links = {link.name for link in links_of(system)}
    assert {"client>eu", "client>us", "eu>eu-balancer", "eu>us", "us>eu", "us-balancer>us-r2"} <= links
    assert "eu-balancer>us-r1" not in links
    assert [node.name for node in system.nodes() if node.replica] == ["eu-r1", "eu-r2", "us-r1", "us-r2"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"regions": ("eu",)}, r"Regions\(regions=\['eu'\]\): at least two regions"),
        ({"regions": ("eu", "eu")}, "each of its own name"),
        ({"regions": ("eu-1", "us")}, "no '-' in a name"),
        ({"guests": -1}, r"Regions\(guests=-1\)"),
        ({"replicas": 0}, "at least one"),
        ({"bug": "stay-home"}, "No bug called 'stay-home'. Did you mean 'stays-home'"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Regions(**settings)  # type: ignore[arg-type]


def test_every_bug_breaks_something() -> None:
    assert len({bug.variant for bug in BUGS.values()} | {Rules()}) == len(BUGS) + 1
