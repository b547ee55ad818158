"""The rule of repairs: when two replicas are to agree by now, neither lacks what the other one has held all the while.

A repair that leaves something out is made up for by the next one, or by another way to repair. A history shows only that it
took longer.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import NamedTuple

from systems.eventual.agreeing import Attempt
from systems.eventual.messages import State
from systems.eventual.resolution import Resolution
from systems.eventual.shown import Shown
from systems.parts.left_out import LeftOut


class _Held(NamedTuple):
    """What a node held, in which life."""

    life: int
    states: Mapping[str, State]


class AgreedHoldTheSame:
    """After a successful attempt to agree, each of the two has what the other one has held since before it began.

    Tombstones are not judged: a replica that does not hold a key does not take one, and may hold another one since.
    """

    def __init__(self, resolution: Resolution) -> None:
        self._resolution = resolution
        self._last: dict[str, _Held] = {}
        """What each node held when it was looked at last."""
        self._before: dict[Attempt, tuple[_Held | None, _Held | None]] = {}
        """What the node and its peer held before the attempt began."""

    def broken(self, shown: Mapping[str, Shown]) -> str | None:
        now = {name: _Held(state.life, state.states) for name, state in shown.items()}
        agreed = {one: name for name, state in shown.items() for own in state.attempts for one in own.agreed}
        seen = {one: name for name, state in shown.items() for own in state.attempts for one in own.under_way} | agreed
        last, before = self._last, self._before
        self._before = {
            one: before[one] if one in before else (last.get(name), last.get(one.peer)) for one, name in seen.items()
        }
        self._last = last | now
        found = None
        for one, name in agreed.items():
            ours, theirs = self._before[one]
            self._before[one] = (None, None)  # it is judged
            if ours is None or theirs is None or name not in now or one.peer not in now:
                continue
            if (ours.life, theirs.life) == (now[name].life, now[one.peer].life):  # else one of them has lost something
                keys = None if one.key is None else (one.key,)
                found = found or self._lacking(keys, (name, ours, now[name]), (one.peer, now[one.peer]))
                found = found or self._lacking(keys, (one.peer, theirs, now[one.peer]), (name, now[name]))
        return found

    def _lacking(self, keys: Collection[str] | None, holder: tuple[str, _Held, _Held], other: tuple[str, _Held]) -> str | None:
        """What a node has held before and now, and the other one lacks; `keys`: only of these."""
        (name, before, now), (lacks, theirs) = holder, other
        for key in before.states if keys is None else keys:
            state, held = before.states.get(key), theirs.states.get(key)
            if state is None or state == held or now.states.get(key) != state or not self._resolution.values(state):
                continue
            if held is None or self._resolution.merged(held, state) != held:
                return f"{name} and {lacks} were to agree, and {lacks} lacks what {name} has held of key {key} since before"
        return None


class ComparedInTurn:
    """A node compares itself with each peer in turn."""

    def __init__(self) -> None:
        self._left_out = LeftOut("compared itself with others")

    def broken(self, shown: Mapping[str, Shown]) -> str | None:
        return self._left_out.look({name: state.compared for name, state in shown.items()})
