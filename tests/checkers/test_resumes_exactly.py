"""Whether the steps repeated after a resumption equal the original ones."""

from __future__ import annotations

import pytest

from harness.checkers import resumes_exactly as resumptions
from harness.checkers.resumes_exactly import resumes_exactly
from harness.model.history import History


def resumed(transcript: str, *events: tuple[str, int, int]) -> History:
    """One step a line, "rank0 g1 3 aa"; events are the rank, the generation, and the step at which it resumed."""
    words = [line.split() for line in transcript.strip().splitlines()]
    steps: list[dict[str, object]] = [
        {
            "node": node,
            "generation": int(generation[1:]),
            "step": int(step),
            "begun_ns": at,
            "done_ns": at,
            "parameters": digest,
        }
        for at, (node, generation, step, digest) in enumerate(words)
    ]
    told: list[dict[str, object]] = [
        {"at_ns": 0, "node": node, "kind": "resumed", "detail": f'{{"generation":{generation},"step":{step}}}'}
        for node, generation, step in events
    ]
    return History.of([], events=told, steps=steps)


BEFORE = """
    rank0 g1 4 aa
    rank1 g1 4 aa
    rank0 g1 5 bb
    rank1 g1 5 bb
    rank0 g1 6 cc
    rank1 g1 6 cc
"""
BOTH = (("rank0", 2, 5), ("rank1", 2, 5))


def test_steps_that_come_out_as_before_are_right() -> None:
    verdict = resumes_exactly(resumed(f"{BEFORE} rank0 g2 5 bb\n rank1 g2 5 bb\n rank0 g2 6 cc\n rank1 g2 6 cc", *BOTH))
    assert (verdict.valid, verdict.why) == (True, "2 steps done again after a resumption, each as before, bit for bit")


def test_a_step_that_does_not_is_wrong() -> None:
    verdict = resumes_exactly(resumed(f"{BEFORE} rank0 g2 5 bb\n rank1 g2 5 bb\n rank0 g2 6 cx\n rank1 g2 6 cx", *BOTH))
    assert verdict.valid is False
    assert verdict.why.startswith("resumed with step 5, and step 6 came out differently from before: rank0 at")


@pytest.mark.parametrize(
    ("after", "events"),
    [
        ("", ()),
        ("rank0 g2 5 xx", (("rank0", 2, 5),)),  # fewer ranks, so other bits
        ("rank0 g2 5 xx\n rank1 g2 5 xx", (("rank0", 2, 5),)),  # rank1 was sent the state
        ("rank0 g2 4 xx\n rank1 g2 4 xx", (("rank0", 2, 4), ("rank1", 2, 4))),  # who did step 3 is not known
        ("rank0 g2 0 xx\n rank1 g2 0 xx", (("rank0", 2, 0), ("rank1", 2, 0))),  # the beginning, not a checkpoint
    ],
)
def test_where_nothing_can_be_compared_it_is_unknown(after: str, events: tuple[tuple[str, int, int], ...]) -> None:
    assert resumes_exactly(resumed(BEFORE + after, *events)).valid is None


def test_an_event_that_is_malformed_is_unknown() -> None:
    told = resumed(BEFORE, *BOTH)
    told.events.loc[1, "detail"] = '{"generation":2}'
    assert resumptions.applies(told)
    verdict = resumes_exactly(told)
    assert verdict.valid is None
    assert verdict.why.startswith("the event resumed of rank1 at 0.000 s says")


def test_it_applies_where_something_resumed() -> None:
    assert resumptions.applies(resumed(BEFORE, *BOTH))
    assert not resumptions.applies(resumed(BEFORE))
