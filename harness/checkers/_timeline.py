"""Queries about the order of events in time, answered for all calls at once in O(n log n)."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.int64]
Booleans = npt.NDArray[np.bool_]

NONE: Final = -1


class Timeline:
    """Points, each with a group and a time; groups are numbered from 0. Groups are laid end to end on one time line."""

    def __init__(self, group: Integers, time: Integers) -> None:
        self._times = np.unique(time)
        self._span = len(self._times) + 1
        line = group * self._span + np.searchsorted(self._times, time)
        self._order = np.argsort(line, kind="stable")
        self._line = line[self._order]
        self._group = group[self._order]

    def greatest_before(self, value: Integers, group: Integers, time: Integers, *, touching: bool = False) -> Integers:
        """For each queried (group, time), the position of an earlier point of that group with the greatest value, or `NONE`.

        With `touching`, points of the same time count as earlier.
        """
        _, rank = np.unique(value[self._order], return_inverse=True)
        height = self._group * (len(rank) + 1) + rank  # a later group is above every earlier one
        peak = np.maximum.accumulate(height) if len(height) else height
        at = np.maximum.accumulate(np.where(height == peak, np.arange(len(height)), 0)) if len(height) else height
        last = self._last(group, time, touching=touching)
        found = last >= 0
        answer = np.full(len(group), NONE)
        answer[found] = self._order[at[last[found]]]
        return answer

    def sum_before(self, value: Integers, group: Integers, time: Integers, *, touching: bool = False) -> Integers:
        """For each queried (group, time), the sum of the values of that group's earlier points."""
        sums = np.concatenate([[0], np.cumsum(value[self._order])])
        end = self._end(group, time, touching=touching)
        begin = np.searchsorted(self._line, group * self._span, side="left")
        total: Integers = sums[np.maximum(end, begin)] - sums[begin]
        return total

    def first_from(self, group: Integers, time: Integers) -> Integers:
        """For each queried (group, time), the position of that group's first point at or after that time, or `NONE`."""
        end = self._end(group, time, touching=False)
        answer = np.full(len(group), NONE)
        inside = np.flatnonzero(end < len(self._line))
        inside = inside[self._group[end[inside]] == group[inside]]
        answer[inside] = self._order[end[inside]]
        return answer

    def _end(self, group: Integers, time: Integers, *, touching: bool) -> Integers:
        """How many points on the line come before each queried (group, time)."""
        moment = group * self._span + np.searchsorted(self._times, time, side="right" if touching else "left")
        end: Integers = np.searchsorted(self._line, moment, side="left")
        return end

    def _last(self, group: Integers, time: Integers, *, touching: bool) -> Integers:
        """The place on the line of each group's last point before the queried time, or `NONE`."""
        last = self._end(group, time, touching=touching) - 1
        if not len(self._group):
            return np.full(len(group), NONE)
        same = (last >= 0) & (self._group[np.maximum(last, 0)] == group)
        return np.where(same, last, NONE)
