"""Decide how hard to search for an order: quickly at first, then keeping more and more configurations, up to a bound."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from harness.checkers._search.problem import Problem
from harness.checkers._search.search import EXPLAINED, GIVEN_UP, NO_ORDER, Effort, Found, search

COMPILED: bool
"""Whether the compiled search exists: it does not if there was no compiler when the harness was installed."""
try:
    from harness.checkers._search._compiled import search as _compiled_search

    COMPILED = True
except ImportError:
    COMPILED = False

Core = Callable[[Problem, Effort], Found]

ROUNDS: Final = ((16, 1, 2), (64, 2, 1), (512, 1, 2), (4096, 2, 1))
"""How many configurations to keep after each return, and how to rank them: see `Effort`."""


def compiled(problem: Problem, effort: Effort) -> Found:
    """The compiled search."""
    arrays = problem.called, problem.returned, problem.kind, problem.slot, problem.order
    more = problem.stages, problem.horizon, problem.supplied, problem.rules
    return Found(*_compiled_search(*arrays, *more, problem.step, problem.slots, *effort))


CORE: Final[Core] = compiled if COMPILED else search
MOST_EXPLORED: Final = 20_000_000 if COMPILED else 500_000
"""How many configurations to explore before giving up; about 20 seconds' worth."""


class Decision(NamedTuple):
    """The result of the search."""

    has_order: bool | None
    """None: given up."""
    explained: int
    """How many calls, in the order of their returns, had an order before none was left or the search gave up."""
    explored: int


def decide(problem: Problem, most_explored: int = MOST_EXPLORED, core: Core = CORE) -> Decision:
    """Whether there is an order."""
    explained = explored = 0
    for width, spent_weight, owed_weight in ROUNDS:
        left = max(0, most_explored - explored)  # each round explores one more than its share before it notices
        share = left // (1 if width == ROUNDS[-1][0] else 2)
        found = core(problem, Effort(width, share, spent_weight, owed_weight))
        explored += found.explored
        explained = max(explained, found.explained)
        if found.outcome != GIVEN_UP:
            return Decision(found.outcome == EXPLAINED, found.explained, explored)
    return Decision(None, explained, explored)


def has_none(problem: Problem, most_explored: int, core: Core = CORE) -> bool:
    """Whether there is certainly no order; False if exploring `most_explored` configurations does not show it."""
    return core(problem, Effort(most_explored, most_explored, 1, 2)).outcome == NO_ORDER
