"""Forbidden acts in a simulation raise, with their line; endless code is ended, with its stack."""

from __future__ import annotations

import random
import time

import pytest

from harness.model.drill import Drill
from harness.model.load import Load
from harness.simulation import watchdog
from harness.simulation.fence import Fenced, fence
from harness.simulation.record import SimulatedRun
from harness.simulation.swarm import Conditions, Swarm
from harness.simulation.world import SimulationError
from tests.helpers.wayward import Wayward
from workloads.registers import Registers


def simulate(does: str, *, callback_s: float = 0.00002) -> None:
    drill = Drill(system=Wayward(does=does), workload=Registers(keys=1), load=Load(rate=5, seconds=1))
    conditions = Conditions(callback_us=callback_s * 1e6)
    SimulatedRun(drill, [], 1, swarm=Swarm(plain=True, conditions=conditions)).carry_out()


@pytest.mark.parametrize(
    ("does", "what", "line"),
    [
        ("thread", "starts a thread", "threading.Thread(target=print).start()"),
        ("socket", "opens a socket", "socket"),
        ("file", "writes a real file", "pathlib"),
        ("clock", "asks the machine's clock (time.time)", "time.time()"),
        ("random", "draws from a shared random stream (random.random)", "random.random()"),
        ("stream", "makes a random stream without a seed", "random.Random()"),
        ("secret", "draws from the machine's entropy (secrets, random.SystemRandom)", "random.py"),
    ],
)
def test_what_no_seed_decides_is_refused_even_if_the_node_swallows_the_error(does: str, what: str, line: str) -> None:
    with pytest.raises(Fenced) as caught:
        simulate(does)
    assert what in str(caught.value)
    assert line in str(caught.value)


def test_outside_a_simulation_everything_is_as_it_was() -> None:
    with fence(), pytest.raises(Fenced):
        time.monotonic()
    assert time.monotonic() > 0
    assert random.Random() is not None


def test_code_that_never_gives_its_loop_back_is_ended_with_its_stack(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watchdog, "STILL_S", 0.3)
    with pytest.raises(SimulationError, match=r"Virtual time has stood still.*wayward\.py, line \d+, in _misbehave"):
        simulate("hang")


@pytest.mark.slow
def test_a_node_that_runs_away_is_ended() -> None:
    with pytest.raises(SimulationError, match="runs away"):
        simulate("spin", callback_s=0.0)


def test_a_node_that_behaves_comes_to_its_end() -> None:
    simulate("nothing")
