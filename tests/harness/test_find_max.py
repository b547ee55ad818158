"""The search for the highest rate, against servers that are only a number."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from harness.cli.find_max import Outcome, steps


@given(st.floats(2, 1e6), st.floats(1, 1e6))
def test_the_highest_rate_is_found_within_a_twentieth(capacity: float, start: float) -> None:
    def probe(rate: float) -> Outcome:
        return "held" if rate <= capacity else "missed"

    held = [step.rate_per_s for step in steps(probe, start) if step.outcome == "held"]
    assert capacity / 1.05 <= max(held) <= capacity


def test_a_server_that_holds_nothing_ends_the_search() -> None:
    tried = list(steps(lambda rate: "missed", 1000))
    assert tried[-1].rate_per_s == 1
    assert len(tried) < 15
