"""A retry storm is a second with half as many requests again as calls; without one, the drill tested nothing."""

from __future__ import annotations

import pytest

from harness.checkers.retry_storm_seen import LEAST_CALLS, applies, retry_storm_seen
from harness.model.history import History


def asked(attempts: list[int], at_s: float = 2.0, phase: str = "load") -> list[dict[str, object]]:
    at = round(at_s * 1e9)
    return [
        {
            "phase": phase,
            "client": 0,
            "kind": "predict",
            "key": "k",
            "outcome": "ok",
            "attempts": number,
            "sent_ns": at,
            "done_ns": at,
        }
        for number in attempts
    ]


CALM = asked([1] * 100, at_s=0.5)


def test_half_as_much_again_is_a_storm() -> None:
    verdict = retry_storm_seen(History.of(CALM + asked([1, 2] * 20)))
    assert (verdict.valid, verdict.why) == (
        True,
        "retries piled up: 60 attempts of 40 calls in the second from 2 s, 1.50 a call",
    )


@pytest.mark.parametrize(
    "ops",
    [
        CALM,
        CALM + asked([1, 2] * 19 + [1, 1]),
        CALM + asked([3] * (LEAST_CALLS - 1)),
        CALM + asked([3] * 40, phase="final"),
        asked([3]),
        [],
    ],
)
def test_less_than_that_is_unknown_and_never_wrong(ops: list[dict[str, object]]) -> None:
    assert retry_storm_seen(History.of(ops)).valid is None


def test_it_applies_to_clients_that_ask_again() -> None:
    assert not applies(History.of(CALM))
    assert applies(History.of(CALM + asked([2])))


def test_histories_from_elsewhere_have_one_attempt_a_call() -> None:
    rows = [{name: value for name, value in row.items() if name != "attempts"} for row in CALM]
    assert set(History.of(rows).ops["attempts"]) == {1}
