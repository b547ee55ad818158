"""WrongGradient and FlipMemory: they flip bits of what a node reports, as specified, and the node reports each flip."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from faults.flip_memory import FlipMemory
from faults.wrong_gradient import WrongGradient
from harness.model.drill import Drill
from harness.model.errors import FaultError, UsageError
from harness.model.fault import Fault, StepWindow
from harness.model.flips import Flips
from harness.model.load import Load
from harness.node.control import ControlPage
from harness.node.events import read_events
from tests.helpers.echo import Numbers
from tests.helpers.keeper import Keeper
from tests.helpers.subject import Stage

RIGHT = bytes(16).hex()


async def computed(stage: Stage, name: str = "gradient") -> int:
    """The number of wrong bits in what n1 computes."""
    return int(await stage.ask("n1", f"/compute?name={name}"), 16).bit_count()


def test_each_gradient_is_wrong_while_the_window_lasts_and_the_node_tells(tmp_path: Path) -> None:
    async def scene() -> None:
        async with Stage.opened(tmp_path, Keeper()) as stage:

            async def doing() -> None:
                assert [await computed(stage) for _ in range(3)] == [1, 1, 1]
                assert await computed(stage, "parameters") == 0

            assert await computed(stage) == 0
            injected, healed = await stage.during(WrongGradient("n1", bit=31), "n1", doing)
            assert injected.acted is None
            assert healed.acted is True
            assert healed.text.startswith("n1: bits flipped in 3 of 3 gradients, the last time byte ")
            assert healed.text.endswith(": 0x00 became 0x80")
            assert await computed(stage) == 0
            events = list(read_events(stage.cluster.events_file("n1")))
            assert [event.kind for event in events] == ["bit_flipped"] * 3
            assert b'"of":"gradient"' in bytes(events[0].detail)

    asyncio.run(scene())


def test_bits_flip_as_often_as_was_said(tmp_path: Path) -> None:
    cases: list[tuple[Fault, str, list[int]]] = [
        (WrongGradient("n1", times=2), "gradient", [1, 1, 0, 0]),
        (WrongGradient("n1", of="activation"), "activation", [1, 1, 1, 1]),
        (FlipMemory("n1", bits=5), "parameters", [5, 0, 0, 0]),
        (FlipMemory("n1", of="optimizer"), "optimizer", [1, 0, 0, 0]),
    ]

    async def scene() -> None:
        async with Stage.opened(tmp_path, Keeper()) as stage:
            for fault, name, wrong in cases:
                found: list[int] = []

                async def doing(name: str = name, wrong: list[int] = wrong, found: list[int] = found) -> None:
                    found.extend([await computed(stage, name) for _ in wrong])

                assert (await stage.during(fault, "n1", doing))[1].acted is True
                assert found == wrong
            for fault, _, _ in cases:
                _, healed = await stage.during(fault, "n1", lambda: None)
                assert healed.acted is False
                assert healed.text.startswith("n1: bits flipped in 0 of 0 ")

    asyncio.run(scene())


@pytest.mark.slow
def test_foreign_programs_memory_is_out_of_reach(tmp_path: Path) -> None:
    async def scene() -> None:
        async with Stage.opened(tmp_path, Keeper(foreign=True)) as stage:
            with pytest.raises(FaultError, match="n1 is a foreign program"):
                await WrongGradient("n1").inject(stage.cluster, stage.targets("n1"))

    asyncio.run(scene())
    with pytest.raises(UsageError, match="n1 is a foreign program"):
        Drill(
            system=Keeper(foreign=True),
            workload=Numbers(),
            load=Load(rate=10, seconds=2),
            faults=[FlipMemory("n1").between(0, 1)],
        )


def test_the_same_seed_flips_the_same_bits_and_a_bit_in_any_of_the_contents() -> None:
    def flipped(seed: int) -> list[bytes]:
        memory = ControlPage().memory
        assert memory.arm(Flips(match="parameters", seed=seed, bits=40)) is not None
        contents = [bytearray(64), bytearray(4), bytearray(512)]
        memory.passes("parameters", [memoryview(content) for content in contents])
        return [bytes(content) for content in contents]

    assert flipped(1) == flipped(1)
    assert flipped(1) != flipped(2)
    assert sum(int.from_bytes(content).bit_count() for content in flipped(3)) == 40
    assert all(any(content) for content in (flipped(1)[0], flipped(1)[2]))


@pytest.mark.parametrize("steady", [True, False])
def test_a_steady_fault_flips_the_same_bit_each_time(*, steady: bool) -> None:
    memory = ControlPage().memory
    assert memory.arm(Flips(match="gradient", seed=1, steady=steady)) is not None
    places = {memory.passes("gradient", [memoryview(bytearray(512))])[0] for _ in range(5)}
    assert (len(places) == 1) is steady


def test_there_is_room_for_some_faults_at_once_and_again_when_they_end() -> None:
    memory = ControlPage().memory
    slots = [memory.arm(Flips(match="gradient", seed=seed)) for seed in range(5)]
    assert slots[-1] is None
    assert None not in slots[:-1]
    assert memory.armed
    for slot in slots[:-1]:
        assert slot is not None
        memory.disarm(slot)
    assert not memory.armed
    assert memory.passes("gradient", [memoryview(bytearray(4))]) == []


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: WrongGradient("n1", of="gradients"), "Did you mean 'gradient'"),
        (lambda: WrongGradient("n1", bit=32), "from 0 to 31"),
        (lambda: WrongGradient("n1", times=0), "at least 1"),
        (lambda: FlipMemory("n1", of="gradient"), "FlipMemory"),
        (lambda: FlipMemory("n1", bits=0), "at least 1"),
        (lambda: FlipMemory("n1", bit=-1), "from 0 to 31"),
    ],
)
def test_what_makes_no_sense_is_refused(make: Callable[[], Fault], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        make()


def test_a_fault_from_a_step_on_lasts_to_the_loads_end() -> None:
    item = WrongGradient("n1").from_step(40)
    assert isinstance(item, StepWindow)
    assert (item.steps.begin, item.steps.end, item.steps.for_s) == (40, None, None)
    assert item.ends_s(9.0) == 9.0
