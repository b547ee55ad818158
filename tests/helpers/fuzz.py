"""Checkers against an independent judgement of many small random histories.

A checker is asked about many histories at once where it can be: those that are right together, which must be valid, and each
wrong one among some right ones, where the operations that the verdict points at must be the wrong one's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from random import Random

import pandas as pd

from harness.model.history import OPS, History, frame
from harness.model.verdict import Checker
from tests.helpers.effort import cases

NS = 1_000_000
_EMPTY = History.of([])
TOGETHER = 300


@dataclass(frozen=True)
class Effort:
    """How many histories to judge, and how many invalid ones: each of those takes a separate call."""

    histories: int
    singly: int


FEW = Effort(cases(600), cases(15))
"""For every run of the tests."""
MANY = Effort(20_000, 20_000)
"""For the nightly run."""


@dataclass(frozen=True)
class Op:
    """One call; times are small whole numbers, so that equal ones are common."""

    client: int
    kind: str
    key: str
    value: str | None
    sent: int
    done: int
    outcome: str = "ok"
    phase: str = "load"
    node: str = ""

    @property
    def ok(self) -> bool:
        return self.outcome == "ok"

    @property
    def end(self) -> float:
        """By when it certainly took effect."""
        return self.done if self.ok else float("inf")


def recorded(histories: Sequence[Sequence[Op]]) -> History:
    """Several histories as one: with clients, nodes and keys of their own."""
    rows = [(number, op) for number, ops in enumerate(histories) for op in ops]
    ops = frame(
        OPS,
        pd.DataFrame(
            {
                "phase": [op.phase for _, op in rows],
                "client": [100 * number + op.client for number, op in rows],
                "kind": [op.kind for _, op in rows],
                "key": [f"h{number}-{op.key}" for number, op in rows],
                "value": [op.value for _, op in rows],
                "outcome": [op.outcome for _, op in rows],
                "node": [op.node and f"h{number}-{op.node}" for number, op in rows],
                "sent_ns": [op.sent * NS for _, op in rows],
                "done_ns": [op.done * NS for _, op in rows],
            }
        ),
    )
    return replace(_EMPTY, ops=ops)


Make = Callable[[Random], list[Op]]
Judge = Callable[[list[Op]], bool | None]


def agrees(checker: Checker, make: Make, judge: Judge, effort: Effort) -> None:
    """Whether the checker and the judgement agree; and that right and wrong histories are common, or it would show little."""
    verdicts: dict[bool | None, list[list[Op]]] = {True: [], False: [], None: []}
    for seed in range(effort.histories):
        ops = make(Random(seed))
        verdicts[judge(ops)].append(ops)
    right, wrong, open_ = verdicts[True], verdicts[False], verdicts[None]
    assert min(len(right), len(wrong)) > effort.histories / 20, (len(right), len(wrong), len(open_))
    for begin in range(0, len(right), TOGETHER):
        together = right[begin : begin + TOGETHER]
        if checker(recorded(together)).valid is not True:
            for ops in together:
                assert (verdict := checker(recorded([ops]))).valid is True, (verdict, ops)
            raise AssertionError("each is valid, and all together are not")
    for number, ops in enumerate(wrong[: effort.singly]):
        beside = list(islice(right, number % 7, number % 7 + 2))
        verdict = checker(recorded([*beside, ops]))
        assert verdict.valid is False, (verdict, ops)
        assert verdict.ops, (verdict, ops)
        assert min(verdict.ops) >= sum(map(len, beside)), (verdict, ops)
    for ops in open_[: effort.singly]:
        verdict = checker(recorded([ops]))
        assert verdict.valid is None, (verdict, ops)
        assert verdict.ops == ()


def spans(random: Random, number: int, latest: int = 12) -> list[tuple[int, int]]:
    """When some calls of one client are sent and done: one after another, sometimes touching."""
    moments = sorted(random.randint(0, latest) for _ in range(2 * number))
    return [(moments[2 * at], moments[2 * at + 1]) for at in range(number)]


def outcome(random: Random) -> str:
    return random.choice(["ok"] * 8 + ["unknown", "failed"])
