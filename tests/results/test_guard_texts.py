"""Guards: their syntax, and when they trip."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.model.errors import UsageError
from harness.model.guard import LEAST_CALLS, Guard, Look, Watch


@pytest.mark.parametrize(
    ("text", "metric", "comparison", "threshold", "seconds"),
    [
        ("availability < 50% for 3s", "availability", "<", 0.5, 3),
        ("  availability<=99.9%   for 500ms ", "availability", "<=", 0.999, 0.5),
        ("p99 > 2s for 10s", "p99", ">", 2000, 10),
        ("max >= 1s for 1.5s", "max", ">=", 1000, 1.5),
    ],
)
def test_guards_are_read(text: str, metric: str, comparison: str, threshold: float, seconds: float) -> None:
    guard = Guard.parse(text)
    condition = guard.condition
    assert (condition.metric, condition.comparison, condition.threshold) == (metric, comparison, threshold)
    assert (guard.text, guard.seconds) == (text.strip(), seconds)


@pytest.mark.parametrize(
    ("text", "message", "caret_at"),
    [
        ("availability > 50% for 3s", "expected < or <= (higher availability is better)", "> 50"),
        ("p99 < 50ms for 3s", "expected > or >= (lower p99 is better)", "< 50ms"),
        ("availability < 50%", "expected 'for' and how long, such as for 3s", ""),
        ("availability < 50% during 3s", "expected 'for' and how long", "during"),
        ("availability < 50% for", "expected a number, such as 3s", ""),
        ("availability < 50% for 3", "expected the unit of the time: 'ms' or 's', such as 3s", ""),
        ("availability < 50% for 0.1s", "expected at least 0.5s", "0.1s"),
        ("availability < 50% for 100ms", "expected at least 500ms", "100ms"),
        ("availability < 50% for 3s or so", "expected nothing after the time, found 'or so'", "or so"),
        ("recovery > 5s for 3s", "expected a metric (p50, p90, p95, p99, p99.9, p99.99, max, availability)", "recovery"),
        ("availabilty < 50% for 3s", "did you mean 'availability'?", "availabilty"),
        ("", "expected a metric", ""),
    ],
)
def test_what_cannot_be_read_is_pointed_at(text: str, message: str, caret_at: str) -> None:
    with pytest.raises(UsageError) as refused:
        Guard.parse(text)
    said, shown, caret = str(refused.value).split("\n")
    assert said.startswith(f"The guard {text!r} does not parse: ")
    assert message in said
    place = shown.index(caret_at) if caret_at else len(shown)
    assert caret.index("^") in (place, place - 1 if not caret_at else place)


def looks(*counts: tuple[float, int, int], latency_ms: float = 1.0) -> list[Look]:
    """Looks at seconds, calls due, calls ok; as many latencies as calls became ok since the look before."""
    found, before = [], 0
    for at_s, due, ok in counts:
        found.append(Look(at_s=at_s, due=due, ok=ok, latencies_ms=[latency_ms] * (ok - before)))
        before = ok
    return found


def passed(text: str, shown: list[Look]) -> list[str | None]:
    watch = Watch(Guard.parse(text))
    return [watch.passed(look) for look in shown]


def test_it_is_passed_when_the_share_over_the_whole_time_is_too_small() -> None:
    steady = [(at_s, 100 * at_s, 100 * at_s) for at_s in range(5)]
    outage = [(at_s, 100 * at_s, 400) for at_s in range(5, 9)]
    found = passed("availability < 50% for 3s", looks(*steady, *outage))
    assert found == [None] * 6 + ["availability was 33.3% over the last 3 s"] + ["availability was 0.0% over the last 3 s"] * 2


def test_nothing_is_said_before_the_time_is_full_nor_of_few_calls() -> None:
    assert passed("availability < 50% for 3s", looks((0, 0, 0), (1, 100, 0), (2.9, 290, 0))) == [None] * 3
    few = looks((0, 0, 0), (4, LEAST_CALLS - 1, 0))
    assert passed("availability < 50% for 3s", few) == [None, None]
    enough = looks((0, 0, 0), (4, LEAST_CALLS, 0))
    assert passed("availability < 50% for 3s", enough)[-1] == "availability was 0.0% over the last 3 s"
    assert passed("p99 > 1s for 3s", looks((0, 0, 0), (4, 99, LEAST_CALLS - 1), latency_ms=5000))[-1] is None


def test_late_answers_do_not_make_more_than_all() -> None:
    backlog = looks((0, 0, 0), (3, 300, 0), (6, 600, 600))
    assert passed("availability <= 100% for 3s", backlog)[-1] == "availability was 100.0% over the last 3 s"


def test_latencies_of_the_time_watched_count_and_none_before() -> None:
    slow_once = [*looks((0, 0, 0), (1, 100, 100), latency_ms=5000), Look(at_s=2, due=200, ok=200, latencies_ms=[1.0] * 100)]
    assert passed("max > 1s for 1s", slow_once) == [None, "max was 5,000 ms over the last 1 s", None]
    mixed = [Look(at_s=0, due=0, ok=0, latencies_ms=[]), Look(at_s=1, due=100, ok=100, latencies_ms=[1.0] * 95 + [900.0] * 5)]
    assert passed("p95 > 500ms for 1s", mixed)[-1] is None
    assert passed("p96 > 500ms for 1s", mixed)[-1] == "p96 was 900 ms over the last 1 s"


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(0.05, 2), st.integers(0, 300)), min_size=1, max_size=40))
def test_a_service_without_faults_never_passes(steps: list[tuple[float, int]]) -> None:
    at_s, due, shown = 0.0, 0, []
    for step_s, calls in steps:
        at_s, due = at_s + step_s, due + calls
        shown.append((at_s, due, due))
    assert not any(passed("availability < 100% for 1s", looks(*shown)))
