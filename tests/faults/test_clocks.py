"""ClockSkew, ClockJump, ClockDrift: what node code reads; only the wall clock is wrong, and healing corrects it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from faults.clock_drift import ClockDrift
from faults.clock_jump import ClockJump
from faults.clock_skew import ClockSkew
from faults.kill import Kill
from harness.model.errors import FaultError, UsageError
from harness.model.evidence import Evidence
from harness.model.fault import Fault
from harness.model.steering import Term
from harness.node.control import ControlPage
from tests.helpers.effort import left_to_ci
from tests.helpers.keeper import Keeper
from tests.helpers.subject import Stage

_SURELY_S = 0.001
"""Of a time as a text, and of clocks read in two processes; the machine's own clock is the same for both."""


async def _off_s(stage: Stage, name: str = "n1") -> tuple[float, float]:
    """The bounds of the node's clock error, as its own code reads the clock."""
    before = time.time()
    shown = float(await stage.ask(name, "/time"))
    return shown - time.time() - _SURELY_S, shown - before + _SURELY_S


async def _is_off_by(stage: Stage, seconds: float, name: str = "n1") -> bool:
    least, most = await _off_s(stage, name)
    return least <= seconds <= most


def test_skewed_clock_is_wrong_by_that_much_and_right_again(tmp_path: Path) -> None:
    async def scene() -> None:
        async with Stage.opened(tmp_path, Keeper(replicas=2)) as stage:

            async def doing() -> None:
                assert await _is_off_by(stage, -90)
                assert await _is_off_by(stage, 0, "n2")

            assert await _is_off_by(stage, 0)
            injected, healed = await stage.during(ClockSkew("n1", by_ms=-90_000), "n1", doing)
            assert injected.acted
            assert injected.text.startswith("n1's clock -")
            assert healed.acted
            assert healed.text.endswith("; n1 read it 1 times")
            assert await _is_off_by(stage, 0)

    asyncio.run(scene())


def test_skews_that_overlap_add_up_and_end_one_by_one(tmp_path: Path) -> None:
    async def scene() -> None:
        async with Stage.opened(tmp_path, Keeper()) as stage:
            one, other = ClockSkew("n1", by_ms=10_000), ClockSkew("n1", by_ms=-10_000)
            first, second = stage.targets("n1", label="w0"), stage.targets("n1", label="w1")
            began = await one.inject(stage.cluster, first)
            began_too = await other.inject(stage.cluster, second)
            assert began_too.acted
            assert await _is_off_by(stage, 0)
            assert (await one.heal(stage.cluster, first, began)).acted
            assert await _is_off_by(stage, -10)
            assert (await other.heal(stage.cluster, second, began_too)).acted
            assert await _is_off_by(stage, 0)

    asyncio.run(scene())


def test_drifting_clock_goes_ever_more_wrong(tmp_path: Path) -> None:
    async def scene() -> None:
        async with Stage.opened(tmp_path, Keeper()) as stage:

            async def doing() -> None:
                _, soon = await _off_s(stage)
                while (later := await _off_s(stage))[0] < soon + 5:  # at a thousand times the pace, in some milliseconds
                    await asyncio.sleep(0.001)
                assert later[0] > soon

            _, healed = await stage.during(ClockDrift("n1", parts_per_million=1e9), "n1", doing)
            assert healed.acted
            assert await _is_off_by(stage, 0)

    asyncio.run(scene())


def test_jumping_clock_is_now_wrong_and_now_right(tmp_path: Path) -> None:
    async def scene() -> None:
        async with Stage.opened(tmp_path, Keeper()) as stage:
            seen: set[Any] = set()

            async def doing() -> None:
                while len(seen) < 2:
                    seen.update([by for by in (0, 60) if await _is_off_by(stage, by)])

            _, healed = await stage.during(ClockJump("n1", by_ms=60_000, every_ms=20), "n1", doing)
            assert healed.acted

    asyncio.run(scene())


@pytest.mark.slow
def test_clock_of_a_node_that_starts_meanwhile_is_wrong_from_its_start(tmp_path: Path) -> None:
    async def scene() -> None:
        async with Stage.opened(tmp_path, Keeper()) as stage:
            kill, others = Kill("n1"), stage.targets("n1", label="w1")
            killed = await kill.inject(stage.cluster, others)

            async def doing() -> None:
                await kill.heal(stage.cluster, others, killed)
                assert await _is_off_by(stage, 5)

            injected, healed = await stage.during(ClockSkew("n1", by_ms=5000), "n1", doing)
            assert injected.acted is None
            assert "n1 did not say its time at the begin" in injected.text
            assert healed.acted

    asyncio.run(scene())


@pytest.mark.slow
def test_a_clock_that_no_process_could_see_did_not_act(tmp_path: Path) -> None:
    async def scene() -> None:
        async with Stage.opened(tmp_path, Keeper()) as stage:
            kill, others = Kill("n1"), stage.targets("n1", label="w1")
            killed = await kill.inject(stage.cluster, others)
            _, healed = await stage.during(ClockSkew("n1"), "n1", lambda: None)
            assert healed.acted is False
            await kill.heal(stage.cluster, others, killed)
            assert await _is_off_by(stage, 0)

    asyncio.run(scene())


@pytest.mark.parametrize("kind", [ClockSkew, *map(left_to_ci, (ClockJump, ClockDrift))])
def test_a_clock_that_nobody_read_met_nothing_unless_the_system_promises_that(
    tmp_path: Path, kind: Callable[..., Fault]
) -> None:
    async def scene() -> None:
        async with Stage.opened(tmp_path, Keeper(replicas=2)) as stage:
            for must_be_read in (True, False):
                fault, both = kind("all", must_be_read=must_be_read), stage.targets("n1", "n2")
                began = await fault.inject(stage.cluster, both)
                await stage.ask("n1", "/time")
                healed = await fault.heal(stage.cluster, both, began)
                assert healed.acted is not must_be_read
                met = ", so it met nothing there" if must_be_read else ""
                assert healed.text.endswith(f"; n1 read it 1 times; n2 read it 0 times{met}")

    asyncio.run(scene())


@pytest.mark.slow
def test_too_many_at_once_are_refused_and_leave_the_others_alone(tmp_path: Path) -> None:
    async def scene() -> None:
        async with Stage.opened(tmp_path, Keeper()) as stage:
            fault = ClockSkew("n1", by_ms=1000)
            for number in range(8):
                await fault.inject(stage.cluster, stage.targets("n1", label=f"w{number}"))
            one_more = stage.targets("n1", label="w8")
            with pytest.raises(FaultError, match="its clock already has 8 faults"):
                await fault.inject(stage.cluster, one_more)
            await fault.heal(stage.cluster, one_more, Evidence(acted=False, text=""))
            assert await _is_off_by(stage, 8)

    asyncio.run(scene())


@pytest.mark.slow
def test_foreign_program_has_a_clock_of_its_own(tmp_path: Path) -> None:
    async def scene() -> None:
        async with Stage.opened(tmp_path, Keeper(foreign=True)) as stage:
            with pytest.raises(FaultError, match="n1 is a foreign program"):
                await ClockSkew("n1").inject(stage.cluster, stage.targets("n1"))

    asyncio.run(scene())


@pytest.mark.parametrize(
    "make",
    [
        lambda: ClockSkew("n1", by_ms=0),
        lambda: ClockSkew("n1", by_ms=float("nan")),
        lambda: ClockSkew("n1", by_ms=1e13),
        lambda: ClockJump("n1", by_ms=0),
        lambda: ClockJump("n1", every_ms=0),
        lambda: ClockJump("n1", every_ms=-5),
        lambda: ClockDrift("n1", parts_per_million=0),
        lambda: ClockDrift("n1", parts_per_million=float("inf")),
    ],
)
def test_sizes_that_make_no_sense_are_refused(make: Callable[[], Fault]) -> None:
    with pytest.raises(UsageError, match="Clock"):
        make()


def test_terms_of_a_clock_add_up_exactly() -> None:
    page = ControlPage()
    page.set_term(0, Term(100, by_ns=7))
    page.set_term(1, Term(100, by_ns=50, every_ns=10))
    page.set_term(2, Term(100, parts_per_billion=-500_000_000))
    assert [page.deviation_ns(100 + gone_ns) for gone_ns in (0, 8, 10, 20)] == [57, 53, 2, 47]
    page.clear_term(1)
    assert page.deviation_ns(108) == 3
    assert page.free_term() == 1
