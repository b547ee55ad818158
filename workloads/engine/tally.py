"""What a worker counts: kept as plain numbers while it sends, worked off together ten times a second."""

from __future__ import annotations

import time
from array import array
from collections import Counter
from typing import Final

import numpy as np

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
        self._ended = array("q")
        self._left = array("q")
        self._counts = [0, 0, 0, 0, 0, 0]
        self._never_left = 0
        self._errors: Counter[str] = Counter()

    def begin(self, counted_from_ns: int) -> None:
        self.counted_from_ns = counted_from_ns
        self._cpu_from_ns = time.process_time_ns()

    def left(self, dues: list[int], sent_ns: int, free_ns: int) -> None:
        """Calls were sent; since `free_ns` there had been a slot free for them."""
        for due in dues:
            self._left.extend((due, sent_ns - (due if due > free_ns else free_ns)))

    def ended(self, outcome: int, due: int, sent_ns: int, now_ns: int, text: str = "") -> None:
        self._ended.extend((due, sent_ns, now_ns, outcome))
        if text:
            self._note(text, due)

    def never_left(self, dues: list[int], text: str) -> None:
        """Calls that surely did not reach the server: failed."""
        for due in dues:
            self._never_left += due >= self.counted_from_ns
            self._note(text, due)

    def flush(self, waiting: int, finished: bool) -> None:
        """Write all of it to the page. `waiting` calls are due and have not left."""
        ended = np.frombuffer(self._ended, np.int64).reshape(-1, 4)
        left = np.frombuffer(self._left, np.int64).reshape(-1, 2)
        ended = ended[ended[:, 0] >= self.counted_from_ns]
        left = left[left[:, 0] >= self.counted_from_ns]
        self._ended, self._left = array("q"), array("q")
        for outcome in (OK, FAILED, WRONG, UNKNOWN):
            self._counts[outcome] += int((ended[:, 3] == outcome).sum())
        self._counts[1] += len(left)
        self._counts[0] = self._counts[1] + self._never_left + waiting
        counts = self._counts.copy()
        counts[FAILED] += self._never_left
        timed = ended[ended[:, 3] != FAILED]
        cpu_ns = time.process_time_ns() - self._cpu_from_ns
        self._page.begin()
        self._page.latency.record(timed[:, 2] - timed[:, 0])
        self._page.service.record(timed[:, 2] - timed[:, 1])
        self._page.send_lag.record(left[:, 1])
        self._page.commit(counts, cpu_ns, self.starved_ns, dict(self._errors), finished)

    def _note(self, text: str, due: int) -> None:
        text = text[:_ERROR_LETTERS]
        if due >= self.counted_from_ns and (text in self._errors or len(self._errors) < _ERROR_TEXTS):
            self._errors[text] += 1
