"""Many seeds in several processes, and what happens if one of these ends."""

from __future__ import annotations

import asyncio
import os
import sys
from itertools import repeat

import pytest

from harness.model.errors import HarnessError
from harness.simulation.sweep import Worker, sweep
from harness.simulation.worker import Task


def test_a_process_that_ends_amid_a_seed_is_one_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/true")
    with pytest.raises(HarnessError, match="A process that simulates ended amid seed 7 of quorum/isolated"):
        asyncio.run(sweep(repeat(Task(drill="quorum/isolated", seed=7)), 2, lambda task, reply: True))


def test_a_process_that_simulates_gets_no_signal_of_the_terminal() -> None:
    """It would show a traceback if Ctrl-C met it while it starts."""

    async def group() -> int:
        async with Worker.opened() as worker:
            return os.getpgid(worker._process.pid)

    assert asyncio.run(group()) != os.getpgrp()
