"""Load that left on time, and load that did not."""

from __future__ import annotations

from harness.checkers.generator_kept_up import generator_kept_up
from tests.helpers.transcript import history


def calls(number: int, late_ms: float, mark: str = "") -> str:
    return "".join(f"c1 read x null {100 + late_ms}..{200 + late_ms} ok ready=100 {mark}\n" for _ in range(number))


def test_all_on_time() -> None:
    verdict = generator_kept_up(history(calls(10, 2)))
    assert verdict.valid is True
    assert verdict.why == "0 of 10 calls left more than 50 ms late (p99 of the lateness 2.0 ms, worst 2.0 ms)"


def test_one_in_a_hundred_late_is_tolerated() -> None:
    verdict = generator_kept_up(history(calls(99, 1) + calls(1, 900)))
    assert verdict.valid is True
    assert "worst 900.0 ms" in verdict.why


def test_more_than_one_in_a_hundred_late_is_unknown() -> None:
    verdict = generator_kept_up(history(calls(98, 1) + calls(2, 900)))
    assert verdict.valid is None
    assert verdict.why.startswith("2 of 100 calls left more than 50 ms late (p99 of the lateness 900.0 ms, worst 900.0 ms)")


def test_exactly_at_the_limit_is_on_time() -> None:
    assert generator_kept_up(history(calls(10, 50))).valid is True
    assert generator_kept_up(history(calls(10, 50.001))).valid is None


def test_a_slow_system_is_not_the_generators_fault() -> None:
    assert generator_kept_up(history("c1 read x null 5000..9000 ok ready=5000")).valid is True


def test_final_calls_are_not_load() -> None:
    assert generator_kept_up(history(calls(10, 1) + calls(10, 900, "final"))).valid is True
    verdict = generator_kept_up(history(calls(10, 900, "final")))
    assert (verdict.valid, verdict.why) == (None, "no call of the load was recorded")


def test_no_calls_at_all() -> None:
    assert generator_kept_up(history("")).valid is None
