"""Wrong answers that flipped bits explain, and wrong answers that they do not."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from harness.checkers.corruption_contained import LEAST_CALLS, applies, corruption_contained
from harness.model.history import History
from tests.helpers.transcript import history

SEVEN = '{"label":7,"score":0.9981}'
ONE = '{"label":1,"score":0.9981}'
LESS_SURE = '{"label":7,"score":0.99}'
GARBLED = '{"label":7,"score":null}'


def flipped(node: str = "r2", at_ms: int = 1000, fault: str = "FlipBits") -> dict[str, object]:
    return {
        "label": f"w{at_ms}", "fault": fault, "selector": "one", "targets": node, "from_s": at_ms / 1e3,
        "to_s": at_ms / 1e3 + 1, "injected_ns": at_ms * 1_000_000, "acted": True,
    }  # fmt: skip


def asked(node: str, value: str, sent_ms: int, done_ms: int | None = None, expected: str = SEVEN) -> str:
    return f"c1 predict 3 {value} {sent_ms}..{done_ms or sent_ms + 5} ok node={node} expected={expected}\n"


RIGHT = "".join(asked(node, SEVEN, at_ms) for at_ms in range(0, 6000, 50) for node in ("r1", "r2"))


def told(*wrong: str, windows: list[dict[str, object]] | None = None, right: str = RIGHT) -> History:
    """A history whose first rows are the wrong answers."""
    return history("".join(wrong) + right, [flipped()] if windows is None else windows)


@pytest.mark.parametrize(
    ("sent_ms", "done_ms"), [(990, 1001), (1000, 1004), (1400, 1405), (2000, 2005), (1990, 3500)],
)  # fmt: skip
@pytest.mark.parametrize("value", [ONE, LESS_SURE, GARBLED])
def test_accepts_wrong_answers_of_the_hit_node_for_a_second(value: str, sent_ms: int, done_ms: int) -> None:
    verdict = corruption_contained(told(asked("r2", value, sent_ms, done_ms)))
    assert verdict.valid is True, verdict.why


def test_says_how_many_from_where_and_for_how_long() -> None:
    verdict = corruption_contained(told(asked("r2", ONE, 1010), asked("r2", ONE, 1085)))
    assert (
        verdict.why
        == "2 of 242 answered predictions wrong, all from r2 after its bits were flipped, the last one asked 0.085 s after"
    )


@pytest.mark.parametrize(
    "stray",
    [
        pytest.param(asked("r2", ONE, 2001), id="later than a second after"),
        pytest.param(asked("r2", LESS_SURE, 5900), id="at the end"),
        pytest.param(asked("r2", ONE, 900, 999), id="before the flip"),
        pytest.param(asked("r1", ONE, 1100), id="from another node"),
        pytest.param(asked("", ONE, 1100), id="from an unknown node"),
    ],
)
def test_refuses_what_the_flip_does_not_account_for(stray: str) -> None:
    verdict = corruption_contained(told(stray, asked("r2", ONE, 1050)))
    assert (verdict.valid, verdict.ops) == (False, (0,))


def test_names_who_answered_wrong_when_and_what_was_flipped() -> None:
    verdict = corruption_contained(told(asked("r1", ONE, 1100)))
    assert verdict.why == (
        "1 wrong prediction that no flipped bit of the last second accounts for, from r1: op 0 asked about 3 at 1.10 s and got"
        f" {ONE} instead of {SEVEN}; bits were flipped on r2 at 1.00 s"
    )


def test_every_flip_has_a_second_of_its_own_and_no_more() -> None:
    windows = [flipped(at_ms=1000), flipped(at_ms=3000), flipped("r1", at_ms=4000)]
    wrong = [asked("r2", ONE, 1900), asked("r2", ONE, 3900), asked("r1", ONE, 4900)]
    assert corruption_contained(told(*wrong, windows=windows)).valid is True
    for stray in (asked("r2", ONE, 2500), asked("r2", ONE, 4900), asked("r1", ONE, 1100)):
        assert corruption_contained(told(stray, *wrong, windows=windows)).valid is False


@pytest.mark.parametrize(
    ("found", "why"),
    [
        pytest.param(told(), "no answer of r2 showed", id="no wrong answer"),
        pytest.param(told(windows=[]), "no node's bits were flipped", id="no fault"),
        pytest.param(told(windows=[flipped(fault="Kill")]), "no node's bits", id="another fault"),
        pytest.param(told(windows=[{**flipped(), "acted": None}]), "no node's bits", id="not seen to act"),
        pytest.param(told(asked("r2", ONE, 1100), asked("r1", SEVEN, 5, expected="{")), "without a right", id="unjudged"),
        pytest.param(told(asked("r2", ONE, 1100), right=""), "too few answers", id="ends too early"),
    ],
)
def test_says_nothing_where_nothing_can_be_told(found: History, why: str) -> None:
    verdict = corruption_contained(found)
    assert verdict.valid is None
    assert why in verdict.why


def test_a_flip_that_never_came_about_accounts_for_nothing() -> None:
    windows = [flipped(), {**flipped("r1", at_ms=3000), "injected_ns": None, "acted": False}]
    assert corruption_contained(told(asked("r1", ONE, 3100), windows=windows)).valid is False


@pytest.mark.parametrize("change", [{"acted": False}, {"acted": None}, {"fault": "Kill"}, {"targets": None}])
def test_a_fault_that_did_not_act_on_the_node_excuses_nothing(change: dict[str, object]) -> None:
    verdict = corruption_contained(told(asked("r2", ONE, 1100), windows=[flipped() | change]))
    assert verdict.valid is False
    assert verdict.why.endswith("no bits were flipped")


def healed(at_ms: int) -> list[dict[str, object]]:
    return [{**flipped(), "healed_ns": at_ms * 1_000_000}]


def test_what_only_the_healing_ended_was_not_contained() -> None:
    wrong = [asked("r2", ONE, at_ms) for at_ms in range(1010, 1790, 20)]
    right = "".join(asked("r1", SEVEN, at_ms) for at_ms in range(0, 6000, 50)) + asked("r2", SEVEN, 1810)
    verdict = corruption_contained(told(*wrong, windows=healed(1800), right=right))
    assert verdict.valid is False
    assert verdict.why == (
        "r2 gave 39 wrong predictions until the fault was healed at 1.80 s, and right ones after that: only the healing"
        " ended it"
    )


@pytest.mark.parametrize(
    "wrong_ms",
    [
        pytest.param(range(1010, 1300, 20), id="ended well before the healing"),
        pytest.param(range(1010, 1990, 20), id="went on after the healing"),
        pytest.param([1100, 1790], id="too few to say until when"),
    ],
)
def test_what_ended_by_itself_was_contained(wrong_ms: Sequence[int]) -> None:
    verdict = corruption_contained(told(*(asked("r2", ONE, at_ms) for at_ms in wrong_ms), windows=healed(1800)))
    assert verdict.valid is True, verdict.why


def test_enough_answers_have_to_come_afterwards() -> None:
    for answers, valid in ((LEAST_CALLS - 1, None), (LEAST_CALLS, True)):
        right = "".join(asked("r1", SEVEN, 2500 + at_ms) for at_ms in range(answers))
        assert corruption_contained(told(asked("r2", ONE, 1100), right=right)).valid is valid


def test_applies_where_bits_were_flipped_under_predictions() -> None:
    assert applies(told())
    assert not applies(told(windows=[flipped(fault="Kill")]))
    assert not applies(history("c1 read x 1 0..1 ok", [flipped()]))
