"""The search for an order of calls that explains the answers, in Python. `_compiled.c` is the same in C."""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterator
from typing import Final, NamedTuple

from harness.checkers._search.problem import (
    NEVER,
    NO_CHANGE,
    NO_RULE,
    NO_STATE,
    OBSERVES,
    OVERWRITES,
    Problem,
)

COMPARED: Final = 64
"""How many others of the same state a configuration is compared with, to see whether one dominates it."""

EXPLAINED: Final = 1
NO_ORDER: Final = 0
GIVEN_UP: Final = 2


class Configuration(NamedTuple):
    """One possibility at a moment: the object's state, and two sets of calls in flight, one bit per slot.

    `met` are the calls that have taken effect. The `free` ones among them did so without changing anything, so it is still
    possible to decide that they did not.
    """

    state: int
    met: int
    free: int


class Effort(NamedTuple):
    """How hard to search. Configurations that have spent few calls and owe few calls rank first."""

    width: int
    """The most configurations to keep after each return."""
    limit: int
    """The most configurations to explore in all."""
    spent_weight: int
    owed_weight: int


class Found(NamedTuple):
    """The result of a search."""

    outcome: int
    explained: int
    """How many calls, in the order of their returns, were explained before no configuration was left."""
    explored: int
    """How many configurations were explored."""
    widest: int
    """The most configurations kept at a time."""


class _TooMany(Exception):
    """The limit on explored configurations is reached."""


def search(problem: Problem, effort: Effort) -> Found:
    """Look for an order, return by return."""
    return _Search(problem, effort).run()


class _Search:
    def __init__(self, problem: Problem, effort: Effort) -> None:
        self._effort = effort
        self._explored = self._widest = 0
        self._ask = problem.step
        self._called: list[int] = problem.called.tolist()
        self._returned: list[int] = problem.returned.tolist()
        self._kind: list[int] = problem.kind.tolist()
        self._order: list[int] = problem.order.tolist()
        self._stages: list[int] = problem.stages.tolist()
        self._horizon: list[int] = problem.horizon.tolist()
        self._supplied: list[int] = problem.supplied.tolist()
        self._rules: list[list[int]] = problem.rules.tolist()
        self._bit = [1 << slot for slot in problem.slot.tolist()]
        self._steps: dict[tuple[int, int], int] = {}
        self._pending: list[int] = []
        self._observers = self._overwriters = 0
        self._wants: list[list[int]] = []
        self._seen: dict[tuple[Configuration, bool], None] = {}

    def run(self) -> Found:
        frontier = [Configuration(0, 0, 0)]
        position, was_cut = 0, False
        for stage, x in enumerate(self._stages):
            begin = position
            while position < len(self._order) and self._called[self._order[position]] < self._returned[x]:
                self._arrive(self._order[position])
                position += 1
            new = self._order[begin:position]
            self._want(position)
            later = self._used_later(x, position)
            following: dict[Configuration, None] = {}
            self._seen.clear()
            bit = self._bit[x]
            try:
                for configuration in frontier:
                    for state, met, free in self._past(self._admit(configuration, new), x, later):
                        following[Configuration(state, met & ~bit, free & ~bit)] = None
            except _TooMany:
                return Found(GIVEN_UP, stage, self._explored, self._widest)
            self._leave()
            frontier = self._undominated(following)
            self._widest = max(self._widest, len(frontier))
            if not frontier:
                return Found(GIVEN_UP if was_cut else NO_ORDER, stage, self._explored, self._widest)
            if len(frontier) > self._effort.width:
                was_cut = True
                frontier = sorted(frontier, key=self._score)[: self._effort.width]
        return Found(EXPLAINED, len(self._stages), self._explored, self._widest)

    def _step(self, state: int, kind: int) -> int:
        expected, leaves, otherwise, differs, _ = self._rules[kind]
        if leaves == NO_RULE:
            after = self._steps.get((state, kind))
            if after is None:
                after = self._steps[(state, kind)] = self._ask(state, kind)
            return after
        if expected != NO_STATE and (state == expected) == bool(differs):
            return state if otherwise == NO_CHANGE else NO_STATE
        return state if leaves == NO_CHANGE else leaves

    def _arrive(self, call: int) -> None:
        insort(self._pending, call, key=self._returned.__getitem__)
        flags = self._rules[self._kind[call]][4]
        if flags & OBSERVES:
            self._observers |= self._bit[call]
        if flags & OVERWRITES:
            self._overwriters |= self._bit[call]

    def _leave(self) -> None:
        bit = self._bit[self._pending.pop(0)]
        self._observers &= ~bit
        self._overwriters &= ~bit

    def _admit(self, configuration: Configuration, calls: list[int]) -> Configuration:
        state, met, free = configuration
        for call in calls:
            if self._returned[call] == NEVER:
                met |= self._bit[call]
                free |= self._bit[call]
        return self._settle(state, met, free, calls)

    def _settle(self, state: int, met: int, free: int, calls: list[int]) -> Configuration:
        """Let calls that change nothing take effect at once."""
        for call in calls:
            bit = self._bit[call]
            if not met & bit and self._step(state, self._kind[call]) == state:
                met |= bit
                if not self._observers & bit:
                    free |= bit
        return Configuration(state, met, free)

    def _want(self, position: int) -> None:
        """Find the states that calls in flight need and that no later call can produce in time.

        One row per state: the state, the observers that wait for it, the other calls that do, and the calls that leave it.
        """
        wants: dict[int, list[int]] = {}
        for call in self._pending:
            if self._supplied[call] >= position:
                continue
            expected, _, _, _, flags = self._rules[self._kind[call]]
            if expected not in wants:
                leaving = sum(self._bit[other] for other in self._pending if self._rules[self._kind[other]][1] == expected)
                wants[expected] = [expected, 0, 0, leaving]
            wants[expected][1 if flags & OBSERVES else 2] |= self._bit[call]
        self._wants = list(wants.values())

    def _hopeless(self, state: int, met: int, free: int) -> bool:
        """Whether some call in flight can no longer find the state that its answer requires."""
        for wanted, observing, changing, leaving in self._wants:
            left = (state == wanted) + (leaving & (~met | free)).bit_count()
            if (changing & ~met).bit_count() > left or (observing & ~met and not left):
                return True
        return False

    def _used_later(self, x: int, position: int) -> bool:
        """Whether a later call may use the state that x leaves."""
        if not self._rules[self._kind[x]][4] & OVERWRITES:
            return True
        left, horizon = self._step(0, self._kind[x]), self._horizon[position]
        for call in self._order[position:]:
            if self._called[call] >= horizon:
                return False
            kind = self._kind[call]
            if not self._rules[kind][4] & OVERWRITES and self._step(left, kind) != NO_STATE:
                return True
        return False

    def _used_now(self, state: int, met: int, free: int, besides: int) -> bool:
        """Whether a call in flight may use the state."""
        for call in self._pending:
            bit = self._bit[call]
            if call == besides or self._overwriters & bit or (met & bit and not free & bit):
                continue
            after = self._step(state, self._kind[call])
            if after != NO_STATE and (after != state or not met & bit):
                return True
        return False

    def _past(self, start: Configuration, x: int, later: bool) -> Iterator[Configuration]:
        """Every configuration in which call `x`, the next to return, has taken effect.

        Lets calls in flight take effect one after another, breadth first, until `x` has. A configuration is *starved* if the
        last of them was an overwriter whose state no call has used yet: another overwriter right after it would only hide it.
        """
        if self._hopeless(*start):
            return
        state, met, free = start
        seen = self._seen
        x_bit = self._bit[x]
        if met & x_bit:
            if not free & x_bit:
                yield start
                return
            after = self._step(state, self._kind[x])
            # Just before an overwriter, others may have taken effect: it has hidden them.
            fresh = self._overwriters & ~met if after == state and self._overwriters & x_bit else 0
            yield Configuration(state, met | fresh, free | fresh)
            # x may also take effect later and change something, which matters only if a call uses what it leaves.
            if not later and (after == NO_STATE or not self._used_now(after, met, free, x)):
                return
        if (start, False) in seen:
            return
        seen[(start, False)] = None
        todo = [(start, False)]
        for (state, met, free), starved in todo:
            tried = set()
            for y in self._pending:
                bit = self._bit[y]
                if self._observers & bit or (met & bit and not free & bit):
                    continue
                # Of calls of one kind, it is enough to try the first, which returns soonest.
                kind, over = self._kind[y], bool(self._overwriters & bit)
                group = (kind, over or bool(free & bit))
                if group in tried:
                    continue
                tried.add(group)
                if over and starved:
                    continue
                after = self._step(state, kind)
                if after == NO_STATE or (after == state and not (over and self._overwriters & ~met & ~bit)):
                    continue
                new_met, new_free = met | bit, free & ~bit
                if over:  # it hides all other overwriters, so they may have taken effect just before it
                    fresh = self._overwriters & ~new_met
                    new_met |= fresh
                    new_free |= fresh
                reached = self._settle(after, new_met, new_free, self._pending)
                self._explored += 1
                if self._explored > self._effort.limit:
                    raise _TooMany
                if self._hopeless(*reached):
                    continue
                if y == x or (self._observers & x_bit and reached.met & x_bit):
                    yield reached
                    continue
                if not new_met & x_bit and reached.met & x_bit:  # x was settled: it may also take effect later
                    yield reached
                starving = False
                if over and not reached.met & ~new_met & ~self._overwriters:
                    if not self._used_now(*reached, besides=-1) or (reached, False) in seen:
                        continue
                    starving = True
                if (reached, starving) not in seen:
                    seen[(reached, starving)] = None
                    todo.append((reached, starving))

    def _undominated(self, configurations: dict[Configuration, None]) -> list[Configuration]:
        """The configurations that no other dominates."""
        ranked = sorted(configurations, key=lambda found: (found.state, -found.free.bit_count(), -found.met.bit_count()))
        kept: list[Configuration] = []
        group = 0
        for number, found in enumerate(ranked):
            if number == 0 or found.state != ranked[number - 1].state:
                group = len(kept)
            for other in kept[group : group + COMPARED]:
                if not ((other.met ^ found.met) | (other.free ^ found.free)) & ~(other.free | (other.met & self._observers)):
                    break
            else:
                kept.append(found)
        return kept

    def _score(self, found: Configuration) -> int:
        """The rank of a configuration: the lower, the better."""
        spent = (found.met & ~found.free & ~self._observers).bit_count()
        owed = sum(not found.met & self._bit[call] for call in self._pending)
        return self._effort.spent_weight * spent + self._effort.owed_weight * owed
