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


def held(from_ms: int, to_ms: int | None) -> dict[str, object]:
    return {
        "label": "w0", "fault": "Pause", "selector": "one", "targets": "n1", "from_s": 0.0, "to_s": 1.0, "acted": True,
        "injected_ns": from_ms * 1_000_000, "healed_ns": None if to_ms is None else to_ms * 1_000_000,
    }  # fmt: skip


def minute(silent: range) -> str:
    """A call every 10 ms for a minute; those due in a stretch are sent when it is over."""
    return "".join(
        f"c1 read x null {sent}..{sent + 2} ok ready={at}\n"
        for at in range(0, 60_000, 10)
        for sent in [silent.stop if at in silent else at]
    )


def test_a_generator_that_was_silent_just_while_a_fault_held() -> None:
    silent = minute(range(30_000, 30_550))
    assert generator_kept_up(history(silent)).valid is True
    verdict = generator_kept_up(history(silent, windows=[held(30_000, 30_550)]))
    assert verdict.valid is None
    assert "50 of the 56 while Pause held, from 30.00 s: the machine is too busy" in verdict.why


def test_a_pause_of_the_generator_at_another_time_is_no_matter() -> None:
    silent = minute(range(30_000, 30_550))
    assert generator_kept_up(history(silent, windows=[held(40_000, 41_000), held(30_100, 40_000)])).valid is True


def test_a_window_that_was_never_healed_lasts_until_the_end() -> None:
    silent = minute(range(59_000, 59_550))
    assert generator_kept_up(history(silent, windows=[held(59_000, None)])).valid is None
    assert generator_kept_up(history(silent, windows=[held(50_000, None) | {"injected_ns": None}])).valid is True


def test_one_late_call_in_a_short_window_says_little() -> None:
    one = "".join(f"c1 read x null {at}..{at + 1} ok ready={at - 60 * (at == 1100)}\n" for at in range(0, 20_000, 100))
    assert generator_kept_up(history(one, windows=[held(1000, 1150)])).valid is True
