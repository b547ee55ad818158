"""Forbidden acts in a simulation raise, with their line; endless code is ended, with its stack."""

from __future__ import annotations

import random
import sys
import time
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from harness.model.drill import Drill
from harness.model.load import Load
from harness.simulation import watchdog
from harness.simulation.fence import Fenced, fence
from harness.simulation.record import SimulatedRun
from harness.simulation.swarm import Conditions, Swarm
from harness.simulation.world import SimulationError
from tests.helpers.effort import left_to_ci
from tests.helpers.wayward import Wayward
from workloads.registers import Registers


def simulate(does: str, *, callback_s: float = 0.00002) -> None:
    drill = Drill(system=Wayward(does=does), workload=Registers(keys=1), load=Load(rate=5, seconds=1))
    conditions = Conditions(callback_us=callback_s * 1e6)
    SimulatedRun(drill, [], 1, swarm=Swarm(plain=True, conditions=conditions)).carry_out()


REFUSED = [
    ("thread", "starts a thread", "threading.Thread(target=print).start()"),
    ("socket", "opens a socket", "socket"),
    ("file", "writes a real file", "pathlib"),
    ("clock", "asks the machine's clock (time.time)", "time.time()"),
    ("clock at once", "asks the machine's clock (time.time)", "time.time()"),
    ("imported clock", "asks the machine's clock (time.monotonic)", "monotonic()"),
    ("imported draw", "draws from a shared random stream (random.shuffle)", "shuffle([])"),
    ("processor time", "asks the machine's clock (time.process_time)", "time.process_time()"),
    ("local time", "asks the machine's clock (time.localtime without a time)", "time.localtime()"),
    ("spelled time", "asks the machine's clock (time.strftime without a time)", 'time.strftime("%H:%M")'),
    ("datetime", "asks the machine's clock (datetime.now)", "datetime.now(UTC)"),
    ("date", "asks the machine's clock (time.time)", "date.today()"),
    ("random", "draws from a shared random stream (random.random)", "random.random()"),
    ("long tail", "draws from a shared random stream (random.lognormvariate)", "random.lognormvariate(0, 1)"),
    ("identifier", "asks the machine's clock (uuid.uuid1)", "uuid.uuid1()"),
    ("stream", "makes a random stream without a seed", "random.Random()"),
    ("numpy", "draws from a shared random stream (numpy.random.normal)", "np.random.normal()"),
    ("exit", "ends its process (os._exit)", "os._exit(1)"),
    ("executor", "runs <built-in function print> in a thread of n1", "run_in_executor(None, print)"),
    ("other thread", "hands <built-in function print> to n1's loop from another thread", "call_soon_threadsafe(print)"),
    ("secret", "draws from the machine's entropy (secrets, random.SystemRandom)", "random.py"),
]
QUICK = ("thread", "socket", "file", "clock", "imported clock", "random", "exit", "executor")
"""One of each kind; the others are left to CI."""


@pytest.mark.parametrize(("does", "what", "line"), [one if one[0] in QUICK else left_to_ci(*one) for one in REFUSED])
def test_what_no_seed_decides_is_refused_even_if_the_node_swallows_the_error(does: str, what: str, line: str) -> None:
    with pytest.raises(Fenced) as caught:
        simulate(does)
    assert what in str(caught.value)
    assert line in str(caught.value)


def test_outside_a_simulation_everything_is_as_it_was() -> None:
    before = datetime.now(UTC)
    with fence():
        for ask in (time.monotonic, time.gmtime, datetime.now, np.random.random):
            with pytest.raises(Fenced):
                ask()
    assert time.monotonic() > 0
    assert time.gmtime().tm_year >= before.year
    assert datetime.now(UTC) >= before
    assert 0 <= np.random.random() < 1
    assert random.Random() is not None


def test_times_that_a_node_has_been_given_may_be_spelled() -> None:
    simulate("given times")


def test_modules_may_be_imported_for_the_first_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "never_imported_before.py").write_text("ANSWER = 42")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    with fence():
        assert import_module("never_imported_before").ANSWER == 42
    assert not sys.dont_write_bytecode


def test_unseeded_draws_of_pytorch_are_the_same_in_each_run() -> None:
    torch = pytest.importorskip("torch")
    with fence():
        drawn = torch.rand(3)
    other = torch.rand(3)
    with fence():
        assert torch.rand(3).equal(drawn)
    assert not torch.rand(3).equal(other)  # outside, the stream goes on


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
