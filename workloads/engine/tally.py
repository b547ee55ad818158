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
        self._left = _Left()
        self._ended = _no_calls()
        self._counts = [0, 0, 0, 0, 0, 0]
        self._never_left = 0
        self._errors: Counter[str] = Counter()

    def begin(self, counted_from_ns: int) -> None:
        self.counted_from_ns = counted_from_ns
        self._cpu_from_ns = time.process_time_ns()

    def left(self, dues: list[int], sent_ns: int, free_ns: int) -> None:
        """Calls were sent; since `free_ns` there had been a slot free for them."""
        self._left.dues += dues
        self._left.runs += (len(dues), sent_ns, free_ns)

    def ended(self, outcome: int, dues: list[int], sents_ns: list[int], now_ns: int, text: str = "") -> None:
        """Calls ended in the same way; `text` says why, where that was not OK."""
        ended = self._ended[outcome]
        ended.dues += dues
        ended.sents += sents_ns
        ended.runs += (len(dues), now_ns)
        if text:
            self._note(text, dues)

    def never_left(self, dues: list[int], text: str) -> None:
        """Calls that surely did not reach the server: failed."""
        self._never_left += sum(due >= self.counted_from_ns for due in dues)
        self._note(text, dues)

    def flush(self, waiting: int, finished: bool) -> None:
        """Write all of it to the page. `waiting` calls are due and have not left."""
        lags = self._left.lags_ns(self.counted_from_ns)
        latencies = {outcome: calls.latencies_ns(self.counted_from_ns) for outcome, calls in self._ended.items()}
        self._left, self._ended = _Left(), _no_calls()
        for outcome, values in latencies.items():
            self._counts[outcome] += values.shape[1]
        self._counts[1] += len(lags)
        self._counts[0] = self._counts[1] + self._never_left + waiting
        counts = self._counts.copy()
        counts[FAILED] += self._never_left
        timed = np.concatenate([values for outcome, values in latencies.items() if outcome != FAILED], axis=1)
        cpu_ns = time.process_time_ns() - self._cpu_from_ns
        self._page.begin()
        self._page.latency.record(timed[0])
        self._page.service.record(timed[1])
        self._page.send_lag.record(lags)
        self._page.commit(counts, cpu_ns, self.starved_ns, dict(self._errors), finished)

    def _note(self, text: str, dues: list[int]) -> None:
        text = text[:_ERROR_LETTERS]
        if text in self._errors or len(self._errors) < _ERROR_TEXTS:
            self._errors[text] += sum(due >= self.counted_from_ns for due in dues)


class _Left:
    """Calls that left: when due, and of each run of them how many, when sent and since when a slot was free."""

    def __init__(self) -> None:
        self.dues: list[int] = []
        self.runs: list[int] = []

    def lags_ns(self, from_ns: int) -> NDArray[np.int64]:
        """How late those left that fell due from then on."""
        dues, runs = np.array(self.dues, np.int64), np.array(self.runs, np.int64).reshape(-1, 3)
        sizes, sents, frees = runs.T
        lags = np.repeat(sents, sizes) - np.maximum(dues, np.repeat(frees, sizes))
        return lags[dues >= from_ns]


class _Ended:
    """Calls that ended in one way: when due, when sent, and of each run of them how many and when they ended."""

    def __init__(self) -> None:
        self.dues: list[int] = []
        self.sents: list[int] = []
        self.runs: list[int] = []

    def latencies_ns(self, from_ns: int) -> NDArray[np.int64]:
        """A row from due and one from sent, of those that fell due from then on."""
        sizes, ends = np.array(self.runs, np.int64).reshape(-1, 2).T
        begins = np.array((self.dues, self.sents), np.int64)
        return (np.repeat(ends, sizes) - begins)[:, begins[0] >= from_ns]


def _no_calls() -> dict[int, _Ended]:
    return {outcome: _Ended() for outcome in (OK, FAILED, WRONG, UNKNOWN)}
