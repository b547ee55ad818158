"""Check that no gradient is computed from parameters older than promised."""

from __future__ import annotations

from dataclasses import dataclass, field

import pandas as pd

from harness.checkers._steps import at, done, trains
from harness.checkers._wording import count, listed
from harness.model.history import History
from harness.model.node_events import BrokenEvent, Told
from harness.model.training_events import Membership, told
from harness.model.verdict import Verdict


def bounded_staleness(history: History) -> Verdict:
    """A worker begins an update only if it is at most as many clocks ahead of the slowest worker as its system promises.

    A worker's clock is the number of its updates applied since it joined; it joins with the slowest worker's clock. The
    checker recounts the clocks from the record, for each term: whose gradient each step applied, and from which step's
    parameters it was computed. A gradient of a worker that was removed meanwhile is wrong, too. (Ho et al., "More Effective
    Distributed ML via a Stale Synchronous Parallel Parameter Server", NIPS 2013.) Unknown if no bound was promised, or if
    there never were two workers: alone, a worker is always the slowest.
    """
    updates = done(history)
    updates = updates[updates["computed_at"].notna().to_numpy(dtype=bool)]
    bounded = updates[updates["staleness_bound"].notna().to_numpy(dtype=bool)].sort_values(["generation", "step"])
    if bounded.empty:
        why = "no update was made" if updates.empty else "no bound was promised"
        return Verdict(valid=None, why=why)
    try:
        moves = told(history, Membership)
    except BrokenEvent as error:
        return Verdict(valid=None, why=str(error))
    wrong: list[str] = []
    judged = furthest = 0
    for term, rows in bounded.groupby("generation"):
        found = _Term([move for move in moves if move.event.term == term])
        for _, row in rows.iterrows():
            ahead = found.ahead(row)
            found.count(row)
            if isinstance(ahead, str):
                wrong.append(f"step {row['step']} ({at(row)}) is of {row['worker']}, {ahead}")
            elif ahead is not None:
                judged, furthest = judged + 1, max(furthest, ahead)
                if ahead > row["staleness_bound"]:
                    wrong.append(
                        f"step {row['step']} ({at(row)}) is of {row['worker']}, which began it {count(ahead, 'clock')} ahead of"
                        f" the slowest; at most {row['staleness_bound']} are allowed"
                    )
    if wrong:
        return Verdict(valid=False, why=f"{count(len(wrong), 'update')} of {len(bounded):,}: {listed(wrong)}")
    if not judged:
        return Verdict(valid=None, why="no update was made while there were two workers")
    return Verdict(valid=True, why=f"{count(judged, 'update')}, begun at most {count(furthest, 'clock')} ahead of the slowest")


@dataclass
class _Term:
    """The clocks of one term's workers, after each of its steps."""

    moves: list[Told[Membership]]
    clocks: dict[str, int] = field(default_factory=dict)
    joined: dict[str, int] = field(default_factory=dict)
    """The step before which each of them joined."""
    past: dict[int, dict[str, int]] = field(default_factory=dict)
    """The clocks before each step."""

    def ahead(self, row: pd.Series) -> int | str | None:
        """How many clocks a step's worker was ahead when it began, None if it was alone, or why it should not have begun."""
        step, worker, began = int(row["step"]), row["worker"], int(row["computed_at"])
        self._move(step)
        clocks = self.past.get(began)
        if began > step or clocks is None:
            return f"computed with the parameters after {began} steps, which did not exist"
        if worker not in self.clocks or self.joined[worker] > began:
            return f"which was removed after it had begun, with the parameters after {began} steps"
        if len(clocks) < 2:
            return None
        return clocks.get(worker, self.clocks[worker]) - min(clocks.values())

    def count(self, row: pd.Series) -> None:
        """Count a step that was done."""
        worker = row["worker"]
        self.clocks[worker] = self.clocks.get(worker, 0) + 1

    def _move(self, step: int) -> None:
        while self.moves and self.moves[0].event.step <= step:
            move = self.moves.pop(0).event
            if move.present:
                self.clocks[move.worker] = min(self.clocks.values(), default=0)
                self.joined[move.worker] = move.step
            else:
                self.clocks.pop(move.worker, None)
        self.past[step] = dict(self.clocks)


def applies(history: History) -> bool:
    """Whether updates were made under a bound."""
    return trains(history) and bool(history.steps["staleness_bound"].notna().any())
