"""Find the fewest calls that no order explains, in a history that has no order.

A call that is left out may still have happened: a read is dropped, and any other call is assumed to take effect at any time
after it was sent, or never. So the remaining calls have no order, whatever the others did.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final

import numpy as np
import numpy.typing as npt

from harness.checkers._search.problem import Numbers, Problem, problem
from harness.checkers._search.rounds import decide, has_none
from harness.model.object_model import Call, Model, Observed, Refused, Rule, Ruled, State

_TRIAL: Final = 20_000
"""How many configurations one trial explores."""
_TRIALS: Final = 400
_FIRST_WINDOW: Final = 4

Times = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Calls:
    """Calls of one object: call i is `kinds[kind[i]]`."""

    kinds: Sequence[Call]
    kind: Numbers
    sent_ns: Times
    done_ns: Times

    def __len__(self) -> int:
        return len(self.kind)

    def problem(self, model: Model) -> Problem:
        """The input of the search. Raises `ValueError` if the model finds a call's value malformed."""
        return problem(self.kinds, self.kind, self.sent_ns, self.done_ns, model)

    def is_answered(self) -> npt.NDArray[np.bool_]:
        return np.array([call.answered for call in self.kinds], dtype=bool)[self.kind]


def observing(model: Model, calls: Sequence[Call]) -> npt.NDArray[np.bool_]:
    """A mask of the calls that, by the model, change nothing."""
    if isinstance(model, Ruled):
        return np.array([model.rule(call).observes for call in calls], dtype=bool)
    if isinstance(model, Observed):
        return np.array([model.observes(call) for call in calls], dtype=bool)
    return np.zeros(len(calls), dtype=bool)


def first_contradiction(calls: Calls, model: Model, asked: Problem, explained: int) -> int:
    """The call whose return is the first after which there is no order.

    The search ends earlier if it sees that a call in flight can never get its answer: that call had been sent when `explained`
    calls had returned. Once there is no order, there never is one again, so bisection finds the return.
    """
    stages = asked.stages
    in_flight = asked.called[stages] < asked.returned[stages[explained]]
    early, late = explained, int(np.flatnonzero(in_flight).max())
    middle = early
    while early < late:
        if decide(_until(calls, model, calls.done_ns[stages[middle]])).has_order:
            early = middle + 1
        else:
            late = middle
        middle = (early + late) // 2
    return int(stages[late])


def _until(calls: Calls, model: Model, until_ns: np.int64) -> Problem:
    """The calls as known at a time: later answers have not come, later calls have not been sent."""
    over = calls.done_ns <= until_ns
    changes = ~observing(model, calls.kinds)[calls.kind]
    chosen = (calls.sent_ns <= until_ns) & (over | changes)
    kinds = [*calls.kinds, *(replace(call, answered=False) for call in calls.kinds)]
    kind = np.where(over, calls.kind, calls.kind + len(calls.kinds))[chosen].astype(np.int32)
    return problem(kinds, kind, calls.sent_ns[chosen], calls.done_ns[chosen], model)


def smallest(calls: Calls, model: Model, last: int) -> list[int]:
    """Positions of calls that have no order, in the order in which they were done, the last being `last`.

    There must be an order up to the return of `last`, and none after it. No call can be left out, unless finding that out would
    take too long.
    """
    until = calls.done_ns[last]
    before = np.flatnonzero(calls.is_answered() & (calls.done_ns <= until))
    before = before[before != last]
    kept = [*before[np.argsort(calls.done_ns[before], kind="stable")].tolist(), last]
    trials = _Trials(calls, model, np.flatnonzero(calls.sent_ns <= until))
    size, from_anywhere = _FIRST_WINDOW, isinstance(model, Ruled)
    while from_anywhere and not trials.contradict(kept[-size:], from_anywhere):
        from_anywhere = size < len(kept)
        size *= 4
    if from_anywhere:
        kept = kept[-size:]
    for at in kept[:-1]:
        if not trials.left:
            break
        fewer = [other for other in kept if other != at]
        if trials.contradict(fewer, from_anywhere):
            kept = fewer
    return kept


class _Trials:
    def __init__(self, calls: Calls, model: Model, known: npt.NDArray[np.intp]) -> None:
        self._calls = calls
        self._model = model
        self._known = known
        self._changes = ~observing(model, calls.kinds)[calls.kind]
        unanswered = [replace(call, answered=False) for call in calls.kinds]
        self._kinds = [*calls.kinds, *unanswered]
        self.left = _TRIALS

    def contradict(self, kept: list[int], from_anywhere: bool) -> bool:
        """Whether these calls certainly have no order; `from_anywhere`: whatever the state before the first of them."""
        self.left -= 1
        if not from_anywhere or not isinstance(self._model, Ruled):
            return has_none(self._problem(kept, self._known, self._model), _TRIAL)
        begin = self._calls.sent_ns[kept].min()
        over = self._calls.is_answered() & (self._calls.done_ns < begin)
        known = self._known[~over[self._known]]
        states = {self._model.rule(self._calls.kinds[self._calls.kind[at]]).expected for at in kept} | {_Other.OTHER}
        return all(has_none(self._problem(kept, known, _Started(self._model, state)), _TRIAL) for state in states)

    def _problem(self, kept: list[int], known: npt.NDArray[np.intp], model: Model) -> Problem:
        others = known[self._changes[known]]
        others = others[~np.isin(others, kept)]
        chosen = np.concatenate([np.array(kept, dtype=np.intp), others])
        kind = self._calls.kind[chosen]
        kind[len(kept) :] += len(self._calls.kinds)
        return problem(self._kinds, kind, self._calls.sent_ns[chosen], self._calls.done_ns[chosen], model)


class _Other(Enum):
    """A state that no call expects."""

    OTHER = "other"


class _Started:
    """A model of an object that starts in a given state."""

    def __init__(self, model: Ruled, initial: State) -> None:
        self._model = model
        self.initial = initial
        self.kinds: frozenset[str] = frozenset()

    def step(self, state: State, call: Call) -> State | Refused:
        return self.rule(call).after(state)

    def rule(self, call: Call) -> Rule:
        return self._model.rule(call)
