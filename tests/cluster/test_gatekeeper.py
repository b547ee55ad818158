"""The gates at which a script's ranks wait: both sides of them."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

from harness.cluster.script.gatekeeper import Gatekeeper
from torch_drills.gates import Gates


def test_a_process_is_told_which_gates_are_ahead_of_it(tmp_path: Path) -> None:
    keeper = Gatekeeper(tmp_path)
    keeper.close([(30, "w0"), (50, "w1")])
    keeper.answer(os.getpid(), 40)
    assert json.loads((tmp_path / f"{os.getpid()}.gates").read_text()) == {"10": 50}


def test_a_process_that_starts_when_all_gates_are_passed_does_not_wait_for_an_answer(tmp_path: Path) -> None:
    """As one does that is started again after the only fault of a run."""
    keeper = Gatekeeper(tmp_path)
    keeper.close([(30, "w0")])
    keeper.passed("w0")
    keeper.answer(os.getpid(), 20)
    began_s = time.monotonic()
    Gates(str(tmp_path)).ask()
    assert time.monotonic() - began_s < 1.0


def test_without_gates_nobody_asks(tmp_path: Path) -> None:
    keeper = Gatekeeper(tmp_path)
    keeper.close([])
    keeper.answer(os.getpid(), 0)
    assert list(tmp_path.iterdir()) == []
