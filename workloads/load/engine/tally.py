"""What a worker counts: kept as plain numbers while it sends, worked off together ten times a second."""

from __future__ import annotations

import time
from collections import Counter
from typing import Final

import numpy as np
from numpy.typing import NDArray

from workloads.load.engine.schedule import NEVER_NS, Times
from workloads.load.engine.snapshot import Page

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
        self._left = _Runs()
        self._ended: dict[int, _Runs] = {}
        self._counts = [0, 0, 0, 0, 0, 0]
        self._never_left = 0
        self._errors: Counter[str] = Counter()

    def begin(self, counted_from_ns: int) -> None:
        self.counted_from_ns = counted_from_ns
        self._cpu_from_ns = time.process_time_ns()

    def left(self, dues: Times, sent_ns: int, free_ns: int) -> None:
        """Calls were sent; since `free_ns` there had been a slot free for them."""
        self._left.dues.append(dues)
        self._left.runs += (len(dues), sent_ns, free_ns)

    def ended(self, outcome: int, dues: Times, sent_ns: int, now_ns: int, text: str = "") -> None:
        """Calls that were sent together ended in the same way; `text` says why, where that was not OK."""
        ended = self._ended.get(outcome)
        if ended is None:
            ended = self._ended[outcome] = _Runs()
        ended.dues.append(dues)
        ended.runs += (len(dues), sent_ns, now_ns)
        if text:
            self._note(text, dues)

    def never_left(self, dues: Times, text: str) -> None:
        """Calls that surely did not reach the server: failed."""
        self._never_left += sum(due >= self.counted_from_ns for due in dues)
        self._note(text, dues)

    def flush(self, waiting: int, finished: bool) -> None:
        """Write all of it to the page. `waiting` calls are due and have not left."""
        self._page.begin()
        dues, sents, frees = self._left.counted(self.counted_from_ns)
        self._counts[1] += len(dues)
        self._page.send_lag.record(sents - np.maximum(dues, frees))
        for outcome, runs in self._ended.items():
            dues, sents, ends = runs.counted(self.counted_from_ns)
            self._counts[outcome] += len(dues)
            if outcome != FAILED:
                self._page.latency.record(ends - dues)
                self._page.service.record(ends - sents)
        self._left, self._ended = _Runs(), {}
        self._counts[0] = self._counts[1] + self._never_left + waiting
        counts = self._counts.copy()
        counts[FAILED] += self._never_left
        cpu_ns = time.process_time_ns() - self._cpu_from_ns
        self._page.commit(counts, cpu_ns, self.starved_ns, dict(self._errors), finished)

    def _note(self, text: str, dues: Times) -> None:
        text = text[:_ERROR_LETTERS]
        if text in self._errors or len(self._errors) < _ERROR_TEXTS:
            self._errors[text] += sum(due >= self.counted_from_ns for due in dues)


class _Runs:
    """Runs of calls: when each call was due; how many are in each run, and two times of it."""

    def __init__(self) -> None:
        self.dues: list[Times] = []
        self.runs: list[int] = []

    def counted(self, from_ns: int) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Of each call that fell due from then on, when it was due, and the two times of its run."""
        sizes, *times = np.array(self.runs, np.int64).reshape(-1, 3).T
        dues = np.frombuffer(b"".join(self.dues), np.int64)
        first, second = (np.repeat(column, sizes) for column in times)
        if dues.min(initial=from_ns) >= from_ns:  # as nearly always, and to pick would take longer than all the rest
            return dues, first, second
        picked = dues >= from_ns
        return dues[picked], first[picked], second[picked]
