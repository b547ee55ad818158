"""An error in a node's callback, which nothing awaits, does not stay unnoticed."""

from __future__ import annotations

import pytest

from harness.run import catalog
from harness.simulation.seed_run import RAISES, run_seed
from harness.simulation.swarm import PLAIN
from systems.quorum.storage import Storage


def found(monkeypatch: pytest.MonkeyPatch, error: Exception | None) -> tuple[tuple[str, ...], str]:
    """What checks find in a run in which the third commit raises an error, after it is done."""
    commit, commits = Storage._commit, 0

    def raising(storage: Storage) -> None:
        nonlocal commits
        commit(storage)
        commits += 1
        if error is not None and commits == 3:
            raise error

    monkeypatch.setattr(Storage, "_commit", raising)
    drill = catalog.find_drill("quorum/healthy", ["load.seconds=1", "load.rate=50"]).drill
    outcome = run_seed("quorum/healthy", drill, 1, swarm=PLAIN).outcome
    return outcome.found, outcome.why


def test_an_error_in_a_callback_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    checks, why = found(monkeypatch, ValueError("no such key"))
    assert RAISES in checks
    assert "a callback raised ValueError: no such key" in why


def test_callbacks_that_do_not_raise_are_well(monkeypatch: pytest.MonkeyPatch) -> None:
    checks, _ = found(monkeypatch, None)
    assert RAISES not in checks
