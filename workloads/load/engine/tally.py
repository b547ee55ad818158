"""What a worker counts: kept as plain numbers while it sends, processed together ten times a second."""

from __future__ import annotations

import time
from bisect import bisect_left
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from results.analysis.failures import OTHER_REASONS, FailureGroup
from workloads.load.engine.schedule import NEVER_NS, Times
from workloads.load.engine.snapshot import Page, Spent
from workloads.load.engine.usage import Usage

OK, FAILED, WRONG, UNKNOWN = 2, 3, 4, 5
"""How a call ended, which is also its index in a page's counts."""
OUTCOMES: Final[dict[int, Literal["failed", "wrong", "unknown"]]] = {FAILED: "failed", WRONG: "wrong", UNKNOWN: "unknown"}
_REASONS: Final = 20
_REASON_LETTERS: Final = 200


class Tally:
    """Counts calls that fell due from `counted_from_ns` on, and writes the counts to a page."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self.counted_from_ns = NEVER_NS
        self.starved_ns = 0
        self.usage = Usage()
        self._cpu_from_ns = time.process_time_ns()
        self._left = _Runs()
        self._ended: dict[int, _Runs] = {}
        self._read: list[int] = []
        self._counts = [0, 0, 0, 0, 0, 0]
        self._never_left = 0
        self._waited = _Runs()
        self._reasons: dict[tuple[int, str], int] = {}
        """By outcome and reason, the number of calls."""
        self._examples: dict[str, str] = {}

    def begin(self, counted_from_ns: int) -> None:
        self.counted_from_ns = counted_from_ns
        self._cpu_from_ns = time.process_time_ns()
        self.usage.begin(time.monotonic_ns())

    def left(self, dues: Times, sent_ns: int, free_ns: int) -> None:
        """Calls were sent; a slot had been free for them since `free_ns`."""
        self._left.dues.append(dues)
        self._left.runs += (len(dues), sent_ns, free_ns)

    def ended(self, outcome: int, dues: Times, sent_ns: int, now_ns: int, reason: str = "", example: str = "") -> None:
        """Calls that were sent together ended the same way; `reason` says why, unless they are OK."""
        ended = self._ended.get(outcome)
        if ended is None:
            ended = self._ended[outcome] = _Runs()
        ended.dues.append(dues)
        ended.runs += (len(dues), sent_ns, now_ns)
        if reason:
            self._note(outcome, reason, dues, example)

    def never_left(self, dues: Times, reason: str) -> None:
        """Calls surely did not reach the server: they failed."""
        self._never_left += self._counted(dues)
        self._note(FAILED, reason, dues, "")

    def waited_to_the_end(self, dues: Times, now_ns: int, reason: str) -> None:
        """Calls waited for a connection until the load was over: the server kept all of them waiting, so how long counts."""
        self.never_left(dues, reason)
        self._waited.dues.append(dues)
        self._waited.runs += (len(dues), now_ns, now_ns)

    def read(self, answers: int, now_ns: int, lag_ns: int) -> None:
        """Answers were received that may have been in the kernel for `lag_ns`."""
        if answers and now_ns >= self.counted_from_ns:
            self._read += (answers, lag_ns)

    def lacks_example(self, reason: str) -> bool:
        """Whether an example of calls that end for this reason is still wanted."""
        return reason not in self._examples and len(self._examples) < _REASONS

    def flush(self, waiting: int, finished: bool) -> None:
        """Write everything to the page. `waiting` calls are due and have not left."""
        self._page.begin()
        answers, lags = np.array(self._read, np.int64).reshape(-1, 2).T
        self._page.read_lag.record(lags, answers)
        self._read = []
        dues, sents, frees = self._left.counted(self.counted_from_ns)
        self._counts[1] += len(dues)
        self._page.send_lag.record(sents - np.maximum(dues, frees))
        for outcome, runs in self._ended.items():
            dues, sents, ends = runs.counted(self.counted_from_ns)
            self._counts[outcome] += len(dues)
            if outcome != FAILED:
                self._page.latency.record(ends - dues)
                self._page.service.record(ends - sents)
            if outcome == UNKNOWN:
                self._page.unanswered.record(ends - dues)
        dues, ends, _ = self._waited.counted(self.counted_from_ns)
        self._page.latency.record(ends - dues)
        self._page.unanswered.record(ends - dues)
        self._left, self._waited, self._ended = _Runs(), _Runs(), {}
        self._counts[0] = self._counts[1] + self._never_left + waiting
        counts = self._counts.copy()
        counts[FAILED] += self._never_left
        usage, cpu_ns = self.usage, time.process_time_ns() - self._cpu_from_ns
        spent = Spent(cpu_ns, self.starved_ns, usage.busy_ns, usage.queued_ns, usage.saturated_ns, usage.blocked_ns)
        self._page.commit(counts, spent, self._failures(), finished)

    def _failures(self) -> list[FailureGroup]:
        return [
            FailureGroup(outcome=OUTCOMES[outcome], reason=reason, calls=calls, example=self._examples.get(reason, ""))
            for (outcome, reason), calls in self._reasons.items()
            if calls
        ]

    def _note(self, outcome: int, reason: str, dues: Times, example: str) -> None:
        reason = reason[:_REASON_LETTERS]
        if (outcome, reason) not in self._reasons and len(self._reasons) >= _REASONS:
            reason, example = OTHER_REASONS, ""
        if example and reason not in self._examples:
            self._examples[reason] = example
        self._reasons[outcome, reason] = self._reasons.get((outcome, reason), 0) + self._counted(dues)

    def _counted(self, dues: Times) -> int:
        return len(dues) - bisect_left(dues, self.counted_from_ns)


class _Runs:
    """Runs of calls: when each call was due, and for each run its number of calls and two times."""

    def __init__(self) -> None:
        self.dues: list[Times] = []
        self.runs: list[int] = []

    def counted(self, from_ns: int) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """For each call that fell due from `from_ns` on, its due time and the two times of its run."""
        sizes, *times = np.array(self.runs, np.int64).reshape(-1, 3).T
        dues = np.frombuffer(b"".join(self.dues), np.int64)
        first, second = (np.repeat(column, sizes) for column in times)
        if dues.min(initial=from_ns) >= from_ns:  # nearly always so, and picking would take longer than all the rest
            return dues, first, second
        picked = dues >= from_ns
        return dues[picked], first[picked], second[picked]
