"""Simulated runs are judged by `all_settled` as real ones are, also if their drill does not name it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.run import catalog
from harness.simulation.seed_run import run_seed
from harness.simulation.swarm import PLAIN


@pytest.mark.slow
def test_what_is_left_over_is_found_without_being_asked_for() -> None:
    drill = catalog.find_drill("regions/two_lost", ("system.bug=guests-stay",)).drill
    judged = run_seed("regions/two_lost", replace(drill, checks=(), slos=()), 1, swarm=PLAIN)
    assert "all_settled" in judged.outcome.found
