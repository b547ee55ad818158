"""Which ranks are in the group, and when that has to change. Pure: from what was heard and when, it decides what to do.

A group is the members of one generation. It ends as soon as a member does not answer, leaves it, or waits in a collective for
longer than a step can take; then all members have to leave, and the ranks that answer and reach each other form the next
group. A reachable rank outside is taken in the same way. Generations are numbered, and no number is used twice.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Final

from systems.training.messages import NO_STATE, Beat, Prepared


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How long is too long, in seconds."""

    silent_s: float = 0.5
    """Without a beat; ranks send about twenty a second."""
    waiting_s: float = 0.6
    """With all members alive in one collective, and nothing arriving at any of them: a link is cut."""
    forming_s: float = 3.0
    """From forming a group until all its members train."""
    inherited_s: float = 0.3
    """From taking over a group until all its members train: if they do not, the coordinator before left it unfinished."""
    gather_s: float = 1.5
    """From hearing the first rank until a group is formed without the missing ones."""


@dataclass(frozen=True, kw_only=True)
class Group:
    """A generation: its members in the order of their ranks, with the incarnation of each when it joined."""

    generation: int
    members: tuple[str, ...]
    incarnations: Mapping[str, int]


@dataclass(frozen=True, kw_only=True)
class Cause:
    """Why there has to be another group, and the ranks that cause it."""

    why: str
    about: tuple[str, ...]


@dataclass
class _Heard:
    beat: Beat
    at_s: float
    gone: bool = False


class Membership:
    """What a coordinator knows of the ranks."""

    def __init__(self, ranks: Collection[str], limits: Limits, now_s: float) -> None:
        self.ranks: Final = tuple(ranks)
        self.group: Group | None = None
        self._limits = limits
        self._since_s = now_s
        self._forming_s = limits.forming_s
        self._heard: dict[str, _Heard] = {}
        self._complete = False

    # ---------------------------------------------------------------------------------------------------- what is heard

    def beat(self, beat: Beat, now_s: float) -> None:
        if not self._heard and self.group is None:
            self._since_s = now_s
        self._heard[beat.name] = _Heard(beat, now_s)

    def gone(self, name: str, incarnation: int) -> None:
        """The connection that a rank holds to the coordinator has ended."""
        heard = self._heard.get(name)
        if heard is not None and heard.beat.incarnation == incarnation:
            heard.gone = True

    def formed(self, group: Group, now_s: float) -> None:
        """A group was formed, and its members know."""
        self.group, self._since_s, self._complete = group, now_s, False
        self._forming_s = self._limits.forming_s

    def takes_over(self, group: Group | None, now_s: float) -> None:
        """This coordinator decides from now on; another one, or this one before a restart, formed this group last, if any.

        What was heard before still counts. If the group is not complete yet, its store may be lost: there is no use in waiting.
        """
        self.group, self._complete = group, False
        if group is not None:
            self._since_s, self._forming_s = now_s, self._limits.inherited_s

    def disbanded(self) -> None:
        """No rank answers: what was heard before does not show which ranks will come."""
        self.group, self._complete = None, False
        self._heard.clear()

    # ------------------------------------------------------------------------------------------------- what is to be done

    def silent(self, name: str, now_s: float) -> bool:
        """Whether a rank has not been heard for too long."""
        heard = self._heard.get(name)
        return heard is None or heard.gone or now_s - heard.at_s > self._limits.silent_s

    def cause(self, now_s: float) -> Cause | None:
        """Why the group has to end now; None if it is healthy."""
        if self.group is None:
            return self._first(now_s)
        for name in self.group.members:
            if (why := self._wrong(name, now_s)) is not None:
                return Cause(why=why, about=(name,))
        if self._complete and self._all_wait():
            return Cause(why=f"all have waited in a collective for {self._limits.waiting_s:g} s", about=())
        if not self._complete:
            late = [name for name in self.group.members if not self._trains(name)]
            self._complete = not late
            heard = [name for name in late if name in self._heard]
            if heard and now_s - self._since_s > self._forming_s:
                since = "formed" if self._forming_s == self._limits.forming_s else "taken over"
                return Cause(why=f"does not train {self._forming_s:g} s after the group was {since}", about=(heard[0],))
        return None

    def outside(self, now_s: float) -> list[str]:
        """The ranks that could be taken in: they send beats and wait outside."""
        members = self.group.members if self.group else ()
        return [name for name in self.ranks if name not in members and not self.silent(name, now_s)]

    @property
    def complete(self) -> bool:
        """Whether all members of the group have begun to train."""
        return self._complete

    def _first(self, now_s: float) -> Cause | None:
        waiting = self.outside(now_s)
        if waiting and (len(waiting) == len(self.ranks) or now_s - self._since_s > self._limits.gather_s):
            return Cause(why="there is no group yet", about=())
        return None

    def _wrong(self, name: str, now_s: float) -> str | None:
        assert self.group is not None  # noqa: S101 - asked of members only
        heard = self._heard.get(name)
        if heard is None:  # after a restart: not yet
            return "was not heard since the coordinator started" if self._overdue(now_s) else None
        beat = heard.beat
        if heard.gone:
            return "has closed its connection"
        if now_s - heard.at_s > self._limits.silent_s:
            return f"was not heard for {self._limits.silent_s:g} s"
        if beat.incarnation != self.group.incarnations[name]:
            return "was started again"
        if beat.generation == self.group.generation and beat.error:
            return f"left the group: {beat.error}"
        return None

    def _all_wait(self) -> bool:
        """Whether all members wait for each other: a member that computes, however long, does not wait."""
        assert self.group is not None  # noqa: S101 - called only with a group
        beats = [self._heard[name].beat for name in self.group.members if name in self._heard]
        return min((beat.waiting_s for beat in beats), default=0.0) > self._limits.waiting_s

    def _overdue(self, now_s: float) -> bool:
        return now_s - self._since_s > self._limits.forming_s

    def _trains(self, name: str) -> bool:
        assert self.group is not None  # noqa: S101 - asked of members only
        heard = self._heard.get(name)
        return heard is not None and (heard.beat.generation, heard.beat.phase) == (self.group.generation, "training")


def choose(answers: Mapping[str, Prepared], *, repeatable: bool = True) -> tuple[str, ...]:
    """The members of the next group, in the order of `answers`: the largest set of ranks that all reach each other.

    `answers` are in the order of ranks; each contains the later ranks that it reached. A set with parameters comes before any
    without, however large; of two of the same size, the one that is furthest does, so that the fewest steps are repeated. If
    steps are not `repeatable` with the same bits, none that is done may be: the set that is furthest comes first.
    """
    names = list(answers)
    best: tuple[str, ...] = ()
    best_score: tuple[float, ...] = ()
    for size in range(len(names), 0, -1):
        for members in combinations(names, size):
            if all(later in answers[name].reached for name, later in combinations(members, 2)):
                step = max(answers[name].step for name in members)
                done = max(answers[name].done for name in members)
                score = (step > NO_STATE, size, step) if repeatable else (*done, size)
                if score > best_score:
                    best, best_score = members, score
    return best
