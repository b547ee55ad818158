"""Answers of one version, of another, and of neither; replicas that switch back and forth."""

from __future__ import annotations

from functools import cache
from random import Random

import numpy as np
import pytest

from harness.checkers._versions import contradiction
from harness.checkers.one_version_each import applies, one_version_each
from tests.helpers.effort import cases, left_to_ci
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
    assert verdict.why == "r1 changed its version more than twice, between old, new"
    assert verdict.ops == (0, 1, 2, 3)


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
    assert verdict.why == "r1 changed its version more than twice, between old, new"


def test_a_long_call_hides_no_change() -> None:
    """Old, new, old, new are certain, whenever the first call was answered."""
    found = overlapping((OLD, "0..20"), (NEW, "2..3"), (OLD, "4..5"), (NEW, "11..12"), (OLD, "13..14"))
    verdict = one_version_each(history(found))
    assert (verdict.valid, verdict.ops) == (False, (1, 2, 3, 4))


def test_nodes_that_are_not_named_are_not_one_node() -> None:
    answers = [OLD, NEW, OLD, NEW]
    verdict = one_version_each(history(asked(*(("", answer) for answer in answers), ("r1", OLD))))
    assert (verdict.valid, verdict.why) == (None, "4 answers without a node's name, and versions differ")
    assert one_version_each(history(asked(("", OLD), ("", OLD)))).valid is True
    assert one_version_each(history(asked(("", OLD), *(("r1", answer) for answer in answers)))).valid is False


def test_a_wrong_answer_outweighs_one_that_cannot_be_compared() -> None:
    found = asked(("r1", OLD), ("r1", "nonsense")) + asked(("r2", OLD), expected="nonsense")
    assert one_version_each(history(found)).valid is False
    assert one_version_each(history(asked(("r1", OLD)) + asked(("r2", OLD), expected="nonsense"))).valid is None


def fewest_changes(answers: list[tuple[int, int, int]]) -> int:
    """The definition: tries every order of the answers (version, sent, done) that the times allow."""

    @cache
    def fewest(made: int, model: int) -> int:
        left = [at for at in range(len(answers)) if not made >> at & 1]
        may_be_next = [at for at in left if all(answers[other][2] >= answers[at][1] for other in left)]
        return min(
            (fewest(made | 1 << at, answers[at][0]) + (answers[at][0] != model) for at in may_be_next),
            default=0,
        )

    return min(fewest(0, model) for model in {model for model, _, _ in answers})


def random_answers(random: Random) -> list[tuple[int, int, int]]:
    """Of two or three versions, with times that often touch: noise, or a good rollout with some answers changed."""
    models, latest, number = random.choice([2, 2, 3, 4]), random.choice([6, 12, 40]), random.randint(1, 8)
    longest, strays = random.choice([1, 2, latest // 3]), random.choice([0.1, 0.5])
    moments = sorted(random.randint(0, latest) for _ in range(number))
    changes = sorted(random.randint(0, latest) for _ in range(2))
    sequence = random.choice([(0, 1, 0), (0, 1, models - 1)])
    answers = []
    for moment in moments:
        model = sequence[sum(moment >= change for change in changes)]
        sent, done = moment - random.randint(0, longest), moment + random.randint(0, longest)
        answers.append((model if random.random() > strays else random.randrange(models), sent, done))
    return answers


@pytest.mark.parametrize("seed", [0, *map(left_to_ci, (1, 2, 3))])
def test_agrees_with_a_search_through_all_orders(seed: int) -> None:
    random = Random(seed)
    bad = 0
    for _ in range(cases(5_000)):
        answers = random_answers(random)
        found = contradiction(*map(np.array, zip(*answers, strict=True)))
        changed = fewest_changes(answers) > 2
        assert (found is not None) == changed, answers
        if found is not None:
            assert fewest_changes([answers[at] for at in found]) > 2, "what it points at shows it by itself"
        bad += changed
    assert cases(200) < bad < cases(4_800)


@pytest.mark.parametrize("expected", ['{"label":7,"score":0.9}', "nonsense"])
def test_without_right_answers_by_version_it_is_unknown(expected: str) -> None:
    found = history(asked(("r1", OLD), expected=expected))
    assert one_version_each(found).valid is None
    assert not applies(found)
