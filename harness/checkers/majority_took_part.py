"""Check that a master completes a step only with more than half of its workers."""

from __future__ import annotations

from harness.checkers._steps import at, done, masters_and_workers, trains
from harness.checkers._wording import count, listed
from harness.model.history import History
from harness.model.verdict import Verdict


def majority_took_part(history: History) -> Verdict:
    """More than half of all workers have begun a step in the master's term by the time when the master has done it.

    Two majorities have a worker in common, and a worker obeys only the newest master that it knows. So a master that was
    replaced, and does not know it yet, completes nothing that begins after its successor was elected. A gradient of another
    step is no sign that a worker still obeys. A master contributes the samples of a step that workers begin as well. Updates
    of one worker alone are not judged. Unknown if there are none but these.
    """
    masters, workers = masters_and_workers(history)
    found = done(history)
    judged = found[found["node"].isin(masters) & found["worker"].isna().to_numpy(dtype=bool)]
    if judged.empty or not workers:
        return Verdict(valid=None, why="no master has done a step with workers")
    of_workers = history.steps[history.steps["node"].isin(workers)]
    place = ["generation", "step"]
    begun = of_workers.merge(judged[[*place, "done_ns"]].reset_index(names="row"), on=place, suffixes=("_by_worker", ""))
    in_time = begun[(begun["begun_ns"] <= begun["done_ns"]).to_numpy(dtype=bool)]
    took_part = in_time.groupby("row")["node"].nunique()
    enough = len(workers) // 2 + 1
    alone = judged[took_part.reindex(judged.index, fill_value=0) < enough]
    if len(alone):
        told = [f"step {row['step']} ({at(row)})" for _, row in alone.iterrows()]
        why = f"{count(len(alone), 'step')} with fewer than {enough} of {count(len(workers), 'worker')}: {listed(told)}"
        return Verdict(valid=False, why=why)
    why = f"{count(len(judged), 'step')}, each with at least {enough} of {count(len(workers), 'worker')}"
    return Verdict(valid=True, why=why)


def applies(history: History) -> bool:
    """Whether masters have done steps with several workers each."""
    if not trains(history):
        return False
    masters, workers = masters_and_workers(history)
    found = done(history)
    return bool(workers) and bool((found["node"].isin(masters) & found["worker"].isna().to_numpy(dtype=bool)).any())
