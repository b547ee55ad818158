"""What `corruption_named` accepts, and what it finds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from harness.checkers.corruption_named import LIMIT_STEPS, applies, corruption_named, corruption_named_within
from harness.model.errors import UsageError
from harness.model.history import EVENTS, History, frame
from tests.helpers.trained import NS_PER_S, history

CONTROL = "\n".join(f"control step {step} p{step} 0:{step}" for step in range(60))
RIGHT = f"""{CONTROL}
    rank0 g1 step 0 p0 0:0 at 0.5
    rank1 g1 step 0 p0 0:0 at 0.5
    rank0 g1 step 1 xx 0:1 at 1.1   # rank1 had a bit flipped at 1.0
    rank1 g1 step 1 xx 0:1 at 1.1
    rank0 g2 step 1 p1 0:1 at 1.5   # rank1 was named at 1.2
    rank0 g2 step 2 p2 0:2 at 1.7
"""
NAMES = '{{"generation":1,"rank":"rank{}","by":["rank2"],"why":"x"}}'
FLIP, NAMING = (
    (1.0, "rank1", "bit_flipped", '{"of":"gradient","offset":1}'),
    (1.2, "coordinator", "named", NAMES.format(1)),
)


def told(transcript: str, *events: tuple[float, str, str, str]) -> History:
    rows = [
        {"at_ns": round(at_s * NS_PER_S), "node": node, "kind": kind, "detail": detail} for at_s, node, kind, detail in events
    ]
    return replace(history(transcript), events=frame(EVENTS, rows))


def test_the_right_rank_is_named_and_what_it_spoilt_is_done_again() -> None:
    verdict = corruption_named(told(RIGHT, FLIP, NAMING))
    assert verdict.valid is True
    assert verdict.why == (
        "named: rank1 0.20 s and 1 step after its first flip, 1 wrong step done again; right in each of 2 steps since"
    )


@pytest.mark.parametrize(
    ("change", "events", "why"),
    [
        (
            ("", ""),
            [FLIP, (1.2, "coordinator", "named", NAMES.format(0))],
            "rank0 was named at 1.20 s, and no bit of it",
        ),
        (("", ""), [FLIP, NAMING, (1.3, "coordinator", "named", NAMES.format(0))], "rank0 was named at 1.30 s"),
        (("", ""), [(1.4, *FLIP[1:]), NAMING], "rank1 was named at 1.20 s, and no bit of it was flipped before that"),
        (("g2 step 2 p2", "g2 step 2 yy"), [FLIP, NAMING], "after that step 2 is wrong (rank0 at 1.70 s, generation 2)"),
        (("g1 step 0 p0", "g1 step 0 yy"), [FLIP, NAMING], "step 0 was wrong before any bit was flipped"),
        (("rank0 g2 step 1", "# "), [FLIP, NAMING], "step 1 was wrong, and was never done again"),
    ],
)
def test_what_is_wrong(change: tuple[str, str], events: Sequence[tuple[float, str, str, str]], why: str) -> None:
    verdict = corruption_named(told(RIGHT.replace(*change), *events))
    assert verdict.valid is False
    assert why in verdict.why


def taken_back(generation: int, step: int, kind: str = "taken back") -> tuple[float, str, str, str]:
    detail = f'{{"generation":{generation},"step":{step},"withdrawn":[],"why":""}}'
    return 1.25, "coordinator", kind, detail


@pytest.mark.parametrize("kind", ["taken back", "not withdrawn"])
def test_a_wrong_step_that_is_trusted_is_found_even_if_it_was_done_again(kind: str) -> None:
    assert corruption_named(told(RIGHT, FLIP, NAMING, taken_back(1, 1, kind))).valid is True
    verdict = corruption_named(told(RIGHT, FLIP, NAMING, taken_back(1, 2, kind)))
    assert verdict.valid is False
    assert verdict.why == ("step 1 was wrong (rank0 at 1.10 s, generation 1), and only what came after 2 steps was taken back")


def test_what_a_later_finding_takes_back_counts_for_the_generations_before() -> None:
    assert corruption_named(told(RIGHT, FLIP, NAMING, taken_back(1, 2), taken_back(3, 0))).valid is True
    assert corruption_named(told(RIGHT, FLIP, NAMING, taken_back(0, 2))).valid is True


def test_an_audit_may_pass_a_rank_whose_activation_was_flipped_in_vain() -> None:
    flip = (1.0, "rank1", "bit_flipped", '{"of":"activation"}')
    assert corruption_named(told(RIGHT, flip, NAMING, taken_back(1, 2))).valid is True


def steps(number: int, parameters: str = "p{}") -> str:
    return "\n".join(f"rank0 g1 step {at} {parameters.format(at)} 0:{at} at {2 + at / 100}" for at in range(number))


def test_a_rank_that_is_never_named_is_wrong_once_there_was_time_to_find_it() -> None:
    assert corruption_named(told(f"{CONTROL}\n{steps(LIMIT_STEPS)}", FLIP)).valid is None
    verdict = corruption_named(told(f"{CONTROL}\n{steps(LIMIT_STEPS + 1)}", FLIP))
    assert verdict.valid is False
    assert verdict.why == f"rank1 was never named, in {LIMIT_STEPS + 1} steps after its first flip"
    late = corruption_named(told(f"{CONTROL}\n{steps(50)}", FLIP, (2.455, *NAMING[1:])))
    assert late.valid is False
    assert "rank1 was named 46 steps after its first flip, not within" in late.why


def test_where_audits_come_often_a_rank_has_to_be_named_sooner() -> None:
    within = corruption_named_within(13)
    assert within.__name__ == "corruption_named"
    transcript = f"{CONTROL}\n{steps(50)}"
    assert within(told(transcript, FLIP, (2.125, *NAMING[1:]))).valid is True
    late = within(told(transcript, FLIP, (2.135, *NAMING[1:])))
    assert late.valid is False
    assert late.why == "rank1 was named 14 steps after its first flip, not within 13"
    assert within(told(f"{CONTROL}\n{steps(13)}", FLIP)).valid is None
    assert within(told(f"{CONTROL}\n{steps(14)}", FLIP)).valid is False
    with pytest.raises(UsageError, match="a number of steps, at least 1"):
        corruption_named_within(0)


def test_an_activation_that_changed_nothing_names_no_rank() -> None:
    flip = (1.0, "rank1", "bit_flipped", '{"of":"activation"}')
    assert corruption_named(told(f"{CONTROL}\n{steps(50)}", flip)).valid is None
    assert corruption_named(told(f"{CONTROL}\n{steps(50, 'x{}')}", flip)).valid is False


@pytest.mark.parametrize(
    ("transcript", "events"),
    [
        (RIGHT, []),
        (RIGHT, [(1.0, "rank1", "bit_flipped", '{"of":"checkpoint"}')]),
        (RIGHT.replace("rank0 g2", "# "), [FLIP, NAMING]),
        (RIGHT.replace("control step 2 ", "control step 70 "), [FLIP, NAMING]),
        (CONTROL, [FLIP, NAMING]),
        (RIGHT, [FLIP, (1.2, "coordinator", "named", "rank1 x")]),
        (RIGHT, [(1.0, "rank1", "bit_flipped", '{"to":"gradient"}'), NAMING]),
    ],
    ids=["no flip", "a checkpoint's", "nothing since", "no control", "nothing done", "broken name", "broken flip"],
)
def test_what_cannot_be_told_is_unknown(transcript: str, events: Sequence[tuple[float, str, str, str]]) -> None:
    assert corruption_named(told(transcript, *events)).valid is None


def test_it_applies_where_bits_of_a_training_were_flipped() -> None:
    assert applies(told(RIGHT, FLIP))
    assert not applies(told(RIGHT, NAMING))
    assert not applies(told("", FLIP))
