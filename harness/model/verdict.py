"""Checkers, their verdicts, and the verdict on a run."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, Literal

from harness.model.history import History

DependencyKind = Literal["ww", "wr", "rw", "rt"]
"""Write before write; write before the read that saw it; read before the write that overwrote it; real time: done before the
other was sent."""


@dataclass(frozen=True, kw_only=True)
class Dependency:
    """Why one transaction comes before another. `source` and `target` are rows of `history.ops`; `why` is a sentence."""

    source: int
    target: int
    kind: DependencyKind
    why: str


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """A checker's finding. `valid` is None if it cannot decide; `why` is one sentence; `ops` are rows of `history.ops`.

    The operations done before `explained_until_ns` have an order that explains them; with the operation done at that time
    there is none any more. None if the check does not look for an order.
    `cycle` holds dependencies that contradict each other: each begins where the previous one ends, the first where the last
    ends.
    """

    valid: bool | None
    why: str
    ops: tuple[int, ...] = ()
    explained_until_ns: int | None = None
    cycle: tuple[Dependency, ...] = ()


Checker = Callable[[History], Verdict]
"""A pure function from a history to a verdict, described by its name and the first line of its docstring."""


def stated_beside(checker: Checker, name: str) -> object:
    """What a checker's module states under this name, such as `KINDS`; None if nothing.

    The module may be a drill's file, which cannot be imported.
    """
    return getattr(inspect.unwrap(checker), "__globals__", {}).get(name)


RunVerdict = Literal["fail", "unknown", "slo", "pass"]
"""The verdict on a run, worst first: wrong behaviour; unknown; right, but an SLO was missed; everything held."""

EXIT_CODES: Final[dict[RunVerdict, int]] = {"fail": 1, "unknown": 4, "slo": 3, "pass": 0}
"""Worst first."""


def gravest(verdicts: Iterable[RunVerdict]) -> RunVerdict:
    """The verdict on several runs together: the worst one; "pass" if there are none."""
    found = set(verdicts)
    return next((verdict for verdict in EXIT_CODES if verdict in found), "pass")
