"""Answers of one version, of the other, and of neither; replicas that go to and fro."""

from __future__ import annotations

import pytest

from harness.checkers.one_version_each import applies, one_version_each
from tests.helpers.transcript import history

RIGHT = '{"old":{"label":7,"score":0.9},"new":{"label":1,"score":0.8}}'
OLD = '{"label":7,"score":0.9,"model":"old"}'
NEW = '{"label":1,"score":0.8,"model":"new"}'


def asked(*answers: tuple[str, str], expected: str = RIGHT) -> str:
    return "".join(
        f"c1 predict digit-1 {value} {at}..{at + 5} ok node={node} expected={expected}\n"
        for at, (node, value) in zip(range(0, 10_000, 10), answers, strict=False)
    )


@pytest.mark.parametrize(
    "answers",
    [
        [("r1", OLD), ("r2", OLD)],
        [("r1", OLD), ("r1", NEW), ("r2", OLD), ("r2", NEW)],
        [("r1", OLD), ("r1", NEW), ("r1", OLD)],
    ],
)
def test_accepts(answers: list[tuple[str, str]]) -> None:
    verdict = one_version_each(history(asked(*answers)))
    assert verdict.valid is True, verdict.why


@pytest.mark.parametrize(
    "answer",
    [
        '{"label":7,"score":0.9,"model":"new"}',
        '{"label":1,"score":0.9,"model":"new"}',
        '{"label":1,"score":0.8,"model":"other"}',
        '{"label":1,"score":0.8}',
        "nonsense",
    ],
)
def test_refuses_what_is_no_versions_answer(answer: str) -> None:
    verdict = one_version_each(history(asked(("r1", OLD), ("r1", answer))))
    assert (verdict.valid, verdict.ops) == (False, (1,))


def test_refuses_a_replica_that_goes_to_and_fro() -> None:
    verdict = one_version_each(history(asked(*(("r1", answer) for answer in (OLD, NEW, OLD, NEW)))))
    assert verdict.valid is False
    assert verdict.why == "r1 changed its version 3 times"


def overlapping(*answers: tuple[str, str]) -> str:
    return "".join(
        f"c{at} predict digit-1 {value} {times} ok node=r1 expected={RIGHT}\n" for at, (value, times) in enumerate(answers)
    )


def test_accepts_calls_that_overlap_the_change_and_end_on_either_side() -> None:
    found = overlapping((OLD, "0..5"), (NEW, "10..20"), (OLD, "11..21"), (NEW, "12..22"), (OLD, "13..23"), (NEW, "24..30"))
    verdict = one_version_each(history(found))
    assert verdict.valid is True, verdict.why


def test_refuses_the_old_version_in_calls_sent_after_an_answer_of_the_new_one() -> None:
    found = overlapping((OLD, "0..5"), (NEW, "10..20"), (OLD, "21..40"), (NEW, "22..41"), (NEW, "42..50"), (OLD, "51..60"))
    verdict = one_version_each(history(found))
    assert verdict.valid is False
    assert verdict.why == "r1 changed its version 4 times"


@pytest.mark.parametrize("expected", ['{"label":7,"score":0.9}', "nonsense"])
def test_without_right_answers_by_version_it_is_unknown(expected: str) -> None:
    found = history(asked(("r1", OLD), expected=expected))
    assert one_version_each(found).valid is None
    assert not applies(found)
