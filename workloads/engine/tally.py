"""What a worker counts: kept as plain numbers while it sends, worked off together ten times a second."""

from __future__ import annotations

import time
from collections import Counter
from typing import Final

import numpy as np
from numpy.typing import NDArray

from workloads.engine.schedule import NEVER_NS
from workloads.engine.snapshot import Page

OK, FAILED, WRONG, UNKNOWN = 2, 3, 4, 5
"""How a call ended, and its place among a page's counts."""
_ERROR_TEXTS: Final = 20
_ERROR_LETTERS: Final = 200


class Tally:
    """Counts calls that fell due from `counted_from_ns` on, into a page."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self.counted_from_ns = NEVER_NS
        self.starved_ns = 0
        self._cpu_from_ns = time.process_time_ns()
        self._left = _Calls()
        self._ended = {outcome: _Calls() for outcome in (OK, FAILED, WRONG, UNKNOWN)}
        self._counts = [0, 0, 0, 0, 0, 0]
        self._never_left = 0
        self._errors: Counter[str] = Counter()

    def begin(self, counted_from_ns: int) -> None:
        self.counted_from_ns = counted_from_ns
        self._cpu_from_ns = time.process_time_ns()

    def left(self, dues: list[int], sent_ns: int, free_ns: int) -> None:
        """Calls were sent; since `free_ns` there had been a slot free for them."""
        self._left.add(dues, [free_ns] * len(dues), sent_ns)

    def ended(self, outcome: int, dues: list[int], sents_ns: list[int], now_ns: int, text: str = "") -> None:
        """Calls ended in the same way; `text` says why, where that was not OK."""
        self._ended[outcome].add(dues, sents_ns, now_ns)
        if text:
            self._note(text, dues)

    def never_left(self, dues: list[int], text: str) -> None:
        """Calls that surely did not reach the server: failed."""
        self._never_left += sum(due >= self.counted_from_ns for due in dues)
        self._note(text, dues)

    def flush(self, waiting: int, finished: bool) -> None:
        """Write all of it to the page. `waiting` calls are due and have not left."""
        left = self._left.taken(self.counted_from_ns)
        ended = {outcome: calls.taken(self.counted_from_ns) for outcome, calls in self._ended.items()}
        for outcome, calls in ended.items():
            self._counts[outcome] += len(calls)
        self._counts[1] += len(left)
        self._counts[0] = self._counts[1] + self._never_left + waiting
        counts = self._counts.copy()
        counts[FAILED] += self._never_left
        timed = np.concatenate([calls for outcome, calls in ended.items() if outcome != FAILED])
        cpu_ns = time.process_time_ns() - self._cpu_from_ns
        self._page.begin()
        self._page.latency.record(timed[:, 2] - timed[:, 0])
        self._page.service.record(timed[:, 2] - timed[:, 1])
        self._page.send_lag.record(left[:, 2] - left.max(axis=1, where=(True, True, False), initial=0))
        self._page.commit(counts, cpu_ns, self.starved_ns, dict(self._errors), finished)

    def _note(self, text: str, dues: list[int]) -> None:
        text = text[:_ERROR_LETTERS]
        if text in self._errors or len(self._errors) < _ERROR_TEXTS:
            self._errors[text] += sum(due >= self.counted_from_ns for due in dues)


class _Calls:
    """Calls with three times each: when due, another time of each, and one that those of a run share."""

    def __init__(self) -> None:
        self._dues: list[int] = []
        self._others: list[int] = []
        self._shared: list[int] = []
        self._sizes: list[int] = []

    def add(self, dues: list[int], others: list[int], shared: int) -> None:
        self._dues += dues
        self._others += others
        self._shared.append(shared)
        self._sizes.append(len(dues))

    def taken(self, from_ns: int) -> NDArray[np.int64]:
        """A row a call that fell due from then on; what was added is forgotten."""
        columns = (self._dues, self._others, np.repeat(np.array(self._shared, np.int64), self._sizes))
        rows = np.column_stack([np.asarray(column, np.int64) for column in columns])
        self._dues, self._others, self._shared, self._sizes = [], [], [], []
        return rows[rows[:, 0] >= from_ns]
