"""An invariant that raises an error has judged nothing: its seed is unknown, and the others go on."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from harness.run import catalog
from harness.simulation.seed_run import AGREES, INVARIANT, Judged, run_seed
from harness.simulation.swarm import PLAIN
from systems.quorum.watch import Watch


def judged() -> Judged:
    drill = catalog.find_drill("quorum/healthy", ["load.seconds=1", "load.rate=50"]).drill
    return run_seed("quorum/healthy", drill, 1, swarm=PLAIN)


def raising(watch: Watch, states: Mapping[str, object]) -> str | None:
    raise KeyError("n9")


@pytest.mark.parametrize("question", ["broken", "apart"])
def test_an_invariant_that_raises_has_judged_nothing(question: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Watch, question, raising)
    found = judged()
    assert found.outcome.verdict == "unknown"
    assert "the invariant itself failed: at " in found.outcome.why
    assert "KeyError: 'n9' (test_raising_invariants.py, line " in found.outcome.why
    assert [check.name for check in found.checks if check.valid is not True] == [INVARIANT]


@pytest.mark.parametrize(("answer", "failed"), [(lambda *_: "two owners", AGREES), (lambda *_: None, None)])
def test_what_it_says_without_an_error_counts(
    answer: Callable[..., str | None], failed: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Watch, "apart", answer)
    assert judged().outcome.found == (() if failed is None else (failed,))
