"""The progress of workers, and which of them may go on: stale-synchronous parallel.

After Ho et al., "More Effective Distributed ML via a Stale Synchronous Parallel Parameter Server", NIPS 2013. A worker's clock
counts its applied updates. A worker that is more than `bound` clocks ahead of the slowest gets no work, so every gradient is
computed with the updates of all workers except perhaps those of the last `bound` clocks. Updates are applied as they come, so
it may include newer ones as well.

A worker that is silent for too long is left out; otherwise it would stop all others. When it comes back it begins with the
clock of the slowest.
"""

from __future__ import annotations

from systems.parameter_server.bugs import CORRECT, Rules


class Clocks:
    """The workers of one term. Times are seconds of any monotonic clock."""

    def __init__(self, bound: int | None, rules: Rules = CORRECT) -> None:
        """`bound` is None if workers may be any number of clocks ahead."""
        self._bound = bound
        self._rules = rules
        self._clocks: dict[str, int] = {}
        self._heard_s: dict[str, float] = {}

    def __contains__(self, worker: object) -> bool:
        return worker in self._clocks

    def now(self) -> dict[str, int]:
        """The clock of each worker that is not left out."""
        return dict(self._clocks)

    def hear(self, worker: str, now_s: float) -> bool:
        """A worker was heard; whether it is new."""
        self._heard_s[worker] = now_s
        if worker in self._clocks:
            return False
        self._clocks[worker] = min(self._clocks.values(), default=0)
        return True

    def silent(self, now_s: float) -> list[str]:
        """Leave out the workers that have been silent for too long; returns them."""
        gone = [worker for worker in self._clocks if now_s - self._heard_s.get(worker, now_s) >= self._rules.limits.gone_s]
        for worker in gone:
            del self._heard_s[worker]
            if self._rules.gone_are_left_out:
                del self._clocks[worker]
        return gone

    def tick(self, worker: str) -> None:
        """An update of a worker was applied."""
        if worker in self._clocks:
            self._clocks[worker] += 1

    def may_go_on(self, worker: str, under_way: frozenset[str]) -> bool:
        """Whether a worker may have work now; `under_way` are the workers that have some."""
        if self._bound is None or not self._rules.staleness_checked:
            return True
        counted = frozenset[str]() if self._rules.clocks_count_applied else under_way
        slowest = min(clock + (other in counted) for other, clock in self._clocks.items())
        return self._clocks[worker] - slowest <= self._bound
