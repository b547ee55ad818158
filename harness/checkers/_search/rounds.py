"""How hard to look for an order: quickly at first, then with more and more configurations kept, up to a bound."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from harness.checkers._search.problem import Problem
from harness.checkers._search.search import EXPLAINED, GIVEN_UP, NO_ORDER, Effort, Found, search

COMPILED: bool
"""Whether the compiled search is there: it is not if there was no compiler where the harness was installed."""
try:
    from harness.checkers._search._compiled import search as _compiled_search

    COMPILED = True
except ImportError:
    COMPILED = False

Core = Callable[[Problem, Effort], Found]

ROUNDS: Final = ((16, 1, 2), (64, 2, 1), (512, 1, 2), (4096, 2, 1))
"""How many configurations are kept after each return, and what makes one better than another: see `Effort`."""


def compiled(problem: Problem, effort: Effort) -> Found:
    """The compiled search."""
    arrays = problem.called, problem.returned, problem.kind, problem.slot, problem.order
    more = problem.stages, problem.horizon, problem.supplied, problem.rules
    return Found(*_compiled_search(*arrays, *more, problem.step, problem.slots, *effort))


CORE: Final[Core] = compiled if COMPILED else search
MOST_EXPLORED: Final = 20_000_000 if COMPILED else 500_000
"""How many configurations are looked at before a history is given up; about 20 seconds' worth."""


class Decision(NamedTuple):
    """What was found."""

    has_order: bool | None
    """None: given up."""
    explained: int
    """How many calls have returned, in the order of their returns, until no order was left, or none was found."""
    explored: int


def decide(problem: Problem, most_explored: int = MOST_EXPLORED, core: Core = CORE) -> Decision:
    """Whether there is an order."""
    explained = explored = 0
    for width, spent_weight, owed_weight in ROUNDS:
        share = (most_explored - explored) // (1 if width == ROUNDS[-1][0] else 2)
        found = core(problem, Effort(width, share, spent_weight, owed_weight))
        explored += found.explored
        explained = max(explained, found.explained)
        if found.outcome != GIVEN_UP:
            return Decision(found.outcome == EXPLAINED, found.explained, explored)
    return Decision(None, explained, explored)


def has_none(problem: Problem, most_explored: int, core: Core = CORE) -> bool:
    """Whether there is surely no order, as far as that can be told by looking at so many configurations."""
    return core(problem, Effort(most_explored, most_explored, 1, 2)).outcome == NO_ORDER
