"""What checkers are, what they find, and what a run comes to."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, Literal

from harness.model.history import History

DependencyKind = Literal["ww", "wr", "rw", "rt"]
"""Wrote before it wrote; wrote what it read; read what it overwrote; was done before it was sent."""


@dataclass(frozen=True, kw_only=True)
class Dependency:
    """Why one transaction comes before another. `source` and `target` are rows of `history.ops`; `why` is a sentence."""

    source: int
    target: int
    kind: DependencyKind
    why: str


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What a checker found. `valid` is None if it cannot decide; `why` is one sentence; `ops` are rows of `history.ops`.

    What was done before `explained_until_ns` has an order that explains it, and with what was done at that time there is none
    any more; None if the check does not look for an order.
    `cycle` holds dependencies that contradict each other: each begins where the one before ends, the first where the last ends.
    """

    valid: bool | None
    why: str
    ops: tuple[int, ...] = ()
    explained_until_ns: int | None = None
    cycle: tuple[Dependency, ...] = ()


Checker = Callable[[History], Verdict]
"""A pure function from what happened to a verdict; its name and the first line of its docstring describe it."""


RunVerdict = Literal["fail", "unknown", "slo", "pass"]
"""What a run comes to, the gravest first: wrong behaviour; cannot be told; right, but an SLO was missed; all held."""

EXIT_CODES: Final[dict[RunVerdict, int]] = {"fail": 1, "unknown": 4, "slo": 3, "pass": 0}
"""The gravest first."""


def gravest(verdicts: Iterable[RunVerdict]) -> RunVerdict:
    """The verdict on several runs together: that of the gravest; "pass" if there are none."""
    found = set(verdicts)
    return next((verdict for verdict in EXIT_CODES if verdict in found), "pass")
