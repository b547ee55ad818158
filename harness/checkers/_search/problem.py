"""The input of the search: calls as numbers, in the order in which they were made and returned."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import Final

import numpy as np
import numpy.typing as npt

from harness.model.object_model import REFUSED, SAME, WHATEVER, Call, Model, Observed, Overwritten, Rule, Ruled, State

Numbers = npt.NDArray[np.int32]

OBSERVES: Final = 1
OVERWRITES: Final = 2
NEVER: Final = 2**31 - 1
"""The return time of an unanswered call, which may take effect at any time after it was sent, or never."""

NO_STATE: Final = -1
"""As an expected state: any state. As the state left: the call is refused."""
NO_CHANGE: Final = -2
NO_RULE: Final = -3
"""As the state left: the model must be asked."""


@dataclass(frozen=True, kw_only=True)
class Problem:
    """Calls of one object. Times are distinct ranks of calls and returns; touching calls overlap.

    A kind is a number for calls that are equal to the model. States are numbers, too; the initial state is 0.
    """

    called: Numbers
    returned: Numbers
    kind: Numbers
    rules: Numbers
    """By kind: expected state, left state, otherwise left, whether it must differ, and flags. See `Rule`."""
    step: Callable[[int, int], int]
    """Maps a state and a kind to the next state, or to `NO_STATE` if refused; used for kinds without a rule."""
    slot: Numbers
    """The place of a call's bit; calls that are never in flight together may share one."""
    slots: int
    order: Numbers
    """The calls in the order in which they were made."""
    stages: Numbers
    """The answered calls in the order in which they returned."""
    horizon: Numbers
    """By position in `order`: the earliest return of any overwriting answered call from there on."""
    supplied: Numbers
    """By call: the last position in `order`, up to the call's return, of a call that leaves the state that it expects.

    `NEVER` if the call does not need one particular state; -1 if no call leaves it.
    """


def problem(kinds: Sequence[Call], kind: Numbers, sent: npt.ArrayLike, done: npt.ArrayLike, model: Model) -> Problem:
    """Build the search's input: call i is `kinds[kind[i]]`, and was sent and done at these times.

    Raises `ValueError` if the model finds a call's value malformed.
    """
    used, number = np.unique(kind, return_inverse=True)
    kinds, kind = [kinds[at] for at in used.tolist()], number.reshape(-1).astype(np.int32)
    answered = np.array([call.answered for call in kinds], dtype=bool)[kind]
    numbers = np.arange(len(kind), dtype=np.int32)
    events = np.concatenate([numbers, numbers[answered]])
    returns = np.arange(len(events)) >= len(kind)
    ranked = np.lexsort((returns, np.concatenate([np.asarray(sent), np.asarray(done)[answered]])))
    ranks = np.empty(len(events), dtype=np.int32)
    ranks[ranked] = np.arange(len(events), dtype=np.int32)
    called, returned = ranks[: len(kind)], np.full(len(kind), NEVER, dtype=np.int32)
    returned[answered] = ranks[len(kind) :]
    states = States(model, list(kinds))
    kind, rules = _merged(kind, np.array([states.rule(call) for call in kinds], dtype=np.int32).reshape(-1, 5))
    order = np.argsort(called, kind="stable").astype(np.int32)
    overwriting = np.where((rules[kind, 4] & OVERWRITES) != 0, returned, NEVER)[order]
    slot, slots = _slots(called.tolist(), returned.tolist(), order.tolist())
    return Problem(
        called=called,
        returned=returned,
        kind=kind,
        rules=rules,
        step=states.step,
        slot=slot,
        slots=slots,
        order=order,
        stages=numbers[answered][np.argsort(returned[answered])],
        supplied=_supplied(called, returned, kind, rules, order),
        horizon=np.append(np.minimum.accumulate(overwriting[::-1])[::-1], NEVER).astype(np.int32),
    )


class States:
    """States of a model, numbered as they are first seen."""

    def __init__(self, model: Model, kinds: list[Call]) -> None:
        self._model = model
        self._kinds = kinds
        self._number: dict[State, int] = {model.initial: 0}
        self._state: list[State] = [model.initial]
        # Checked once, because isinstance with a protocol takes longer than a rule.
        self._ruled = model if isinstance(model, Ruled) else None
        self._observed = model if isinstance(model, Observed) else None
        self._overwritten = model if isinstance(model, Overwritten) else None

    def number(self, state: State) -> int:
        found = self._number.setdefault(state, len(self._state))
        if found == len(self._state):
            self._state.append(state)
        return found

    def step(self, state: int, kind: int) -> int:
        after = self._model.step(self._state[state], self._kinds[kind])
        return NO_STATE if after is REFUSED else self.number(after)

    def rule(self, call: Call) -> tuple[int, int, int, int, int]:
        if self._ruled is not None:
            rule: Rule = self._ruled.rule(call)
            return (
                NO_STATE if rule.expected is WHATEVER else self.number(rule.expected),
                NO_CHANGE if rule.leaves is SAME else self.number(rule.leaves),
                NO_CHANGE if rule.otherwise is SAME else NO_STATE,
                int(rule.differs),
                OBSERVES * rule.observes + OVERWRITES * rule.overwrites,
            )
        observes = self._observed is not None and self._observed.observes(call)
        overwrites = self._overwritten is not None and self._overwritten.overwrites(call)
        return NO_STATE, NO_RULE, NO_STATE, 0, OBSERVES * observes + OVERWRITES * overwrites


def _merged(kind: Numbers, rules: Numbers) -> tuple[Numbers, Numbers]:
    """Merge kinds that have the same rule."""
    if (rules[:, 1] == NO_RULE).any():
        return kind, rules
    distinct, number = np.unique(rules, axis=0, return_inverse=True)
    return number.reshape(-1)[kind].astype(np.int32), np.ascontiguousarray(distinct)


def _slots(called: list[int], returned: list[int], order: list[int]) -> tuple[Numbers, int]:
    slot, slots = np.zeros(len(called), dtype=np.int32), 0
    busy: list[tuple[int, int]] = []
    idle: list[int] = []
    for call in order:
        while busy and busy[0][0] < called[call]:
            heappush(idle, heappop(busy)[1])
        if idle:
            mine = heappop(idle)
        else:
            mine, slots = slots, slots + 1
        slot[call] = mine
        if returned[call] != NEVER:
            heappush(busy, (returned[call], mine))
    return slot, slots


def _supplied(called: Numbers, returned: Numbers, kind: Numbers, rules: Numbers, order: Numbers) -> Numbers:
    expected, leaves, otherwise, differs, _ = rules[kind].T
    found = np.full(len(called), NEVER, dtype=np.int32)
    wants = np.flatnonzero((expected != NO_STATE) & (differs == 0) & (otherwise == NO_STATE) & (returned != NEVER))
    position = np.empty(len(order), dtype=np.int32)
    position[order] = np.arange(len(order))
    for state in np.unique(expected[wants]):
        positions = np.sort(position[leaves == state])
        those = wants[expected[wants] == state]
        upto = np.searchsorted(called[order][positions], returned[those])
        found[those] = np.append(np.int32(-1), positions)[upto]
    return found
