"""The search for the highest rate, against servers that are only a number."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from hypothesis import given
from hypothesis import strategies as st

from harness.cli.find_max import found, steps
from results.record.load_result import LoadStep, StepOutcome


def step(rate: float, outcome: StepOutcome) -> LoadStep:
    return LoadStep(
        rate_per_s=rate, outcome=outcome, why=f"because it {outcome}", done_per_s=rate, p50_ms=1.0, p99_ms=2.0,
        service_p99_ms=1.0, availability=1.0, busy_share=0.5,
    )  # fmt: skip


def server(capacity: float, beyond: StepOutcome = "missed") -> Callable[[float], LoadStep]:
    return lambda rate: step(rate, "held" if rate <= capacity else beyond)


def hiccups(capacity: float, at: set[int]) -> Callable[[float], LoadStep]:
    """A server that misses at the tries with these numbers, at any rate."""
    numbers: Iterator[int] = iter(range(10_000))
    return lambda rate: step(rate, "missed" if next(numbers) in at or rate > capacity else "held")


@given(st.floats(2, 1e6), st.floats(1, 1e6))
def test_the_highest_rate_is_found_within_a_twentieth(capacity: float, start: float) -> None:
    best = found(list(steps(server(capacity), start))).rate_per_s
    assert best is not None
    assert capacity / 1.05 <= best <= capacity


@given(st.integers(0, 30))
def test_one_bad_step_does_not_decide(bad: int) -> None:
    best = found(list(steps(hiccups(50_000, {bad}), 1000))).rate_per_s
    assert best is not None
    assert 50_000 / 1.05 <= best <= 50_000


def test_a_rate_that_holds_is_tried_once_and_one_that_does_not_twice() -> None:
    tried = list(steps(server(1500), 1000))
    rates = [one.rate_per_s for one in tried]
    assert all(rates.count(rate) == (1 if rate <= 1500 else 2) for rate in rates)


def test_a_server_that_holds_nothing_ends_the_search() -> None:
    tried = list(steps(server(0), 1000))
    assert tried[-1].rate_per_s == 1
    assert len(tried) < 30
    assert found(tried).rate_per_s is None


def test_it_is_said_what_the_limit_was() -> None:
    limits: dict[StepOutcome, str | None] = {
        "missed": "server",
        "unsteady": "server",
        "generator": "generator",
        "unclear": None,
    }
    for outcome, limit in limits.items():
        ended = found(list(steps(server(3000, outcome), 1000)))
        assert ended.limit == limit
        assert (limit or "undecided") in ended.why
