"""Check that flipped bits in a model are noticed, and soon cause no more wrong answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from harness.checkers._predictions import Rows, judged, told
from harness.checkers._starvation import Starvation, starvation, starved
from harness.checkers._wording import count, listed
from harness.model.history import History
from harness.model.verdict import Verdict

KINDS: Final = ("predict",)

LIMIT_NS: Final = 1_000_000_000
"""Calls sent later than this after the flip must be answered right. Health checks every 0.1 s, and a balancer that wants to see
three of them fail, need half of that; the rest is for a busy machine."""

LEAST_CALLS: Final = 20
"""With fewer predictions answered after that, the check does not say that none is wrong."""

LEAST_WRONG: Final = 3
"""With fewer wrong answers from a node, the check does not say until when it gave them."""

compares = told

MOST_OPS: Final = 10

_FAULT: Final = "FlipBits"
_NEVER: Final = np.iinfo(np.int64).min
_EVER: Final = np.iinfo(np.int64).max


def corruption_contained(history: History) -> Verdict:
    """Wrong predictions come only from nodes whose bits had been flipped, and none is sent more than a second after that.

    An answer is right if it has the label and, within 0.001, the score that the model gave beforehand, as for
    `predictions_correct`. Silent corruption cannot be prevented, and clients that get the first wrong answers cannot notice;
    health checks are there to stop any more from following. The corruption was not contained either if a node gave wrong
    answers until the fault was healed, and right ones after that. A fault that was not seen to act excuses nothing. Time for
    which the machine kept a process of the run waiting for a CPU does not count; if wrong answers came late only because of
    that, the verdict is unknown. Unknown as well if no answer was wrong: nothing was tested.
    """
    flips = _flips(history.windows)
    answered, wrong, unjudged = judged(history.ops)
    rows = history.ops.iloc[wrong]
    if flips.empty and rows.empty:
        return Verdict(valid=None, why="no node's bits were flipped")
    flipped_ns = _last_flip_before(rows, flips)
    late = (rows["sent_ns"].to_numpy() - LIMIT_NS > flipped_ns) | (flipped_ns == _NEVER)
    excused = _excused(history, rows["sent_ns"].to_numpy()[late], flipped_ns[late])
    stray = rows[late]
    real = stray[[flipped not in excused for flipped in flipped_ns[late].tolist()]]
    if not real.empty:
        return Verdict(valid=False, why=_stray(real, flips), ops=tuple(map(int, real.index[:MOST_OPS])))
    for node, at_ns, healed_ns in flips.itertuples(index=False):
        if lasted := _lasted(history.ops, answered, rows, node, at_ns, healed_ns):
            why, hungry = _healed_only(node, lasted, healed_ns), starved(history, at_ns, healed_ns)
            return Verdict(
                valid=None if hungry else False, why=f"{why}, but {hungry}" if hungry else why, ops=lasted[:MOST_OPS]
            )
    if not stray.empty:
        why = f"{count(len(stray), 'wrong prediction')} more than a second after the flip, but {next(iter(excused.values()))}"
        return Verdict(valid=None, why=why, ops=tuple(map(int, stray.index[:MOST_OPS])))
    if len(unjudged):
        return Verdict(
            valid=None, why=f"{count(len(unjudged), 'answered prediction')} came without a right answer to compare with"
        )
    if rows.empty:
        return Verdict(valid=None, why=f"no answer of {listed(sorted(set(flips['node'])))} showed that its bits were flipped")
    later = int((history.ops["sent_ns"].to_numpy()[answered] - LIMIT_NS > int(flips["at_ns"].max())).sum())
    if later < LEAST_CALLS:
        return Verdict(valid=None, why=f"too few answers to tell later than a second after the flip: {later}")
    last_s = max(0, int((rows["sent_ns"].to_numpy() - flipped_ns).max())) / 1e9
    return Verdict(
        valid=True,
        why=f"{len(rows):,} of {count(len(answered), 'answered prediction')} wrong, all from"
        f" {listed(sorted(set(rows['node'])))} after its bits were flipped, the last one asked {last_s:.3f} s after",
    )


def _excused(history: History, sent_ns: npt.NDArray[np.int64], flipped_ns: npt.NDArray[np.int64]) -> dict[int, Starvation]:
    """By flip, the wait for a CPU without which even its last wrong answer would have been in time."""
    found: dict[int, Starvation] = {}
    for flipped in set(flipped_ns.tolist()) - {_NEVER}:
        last = int(sent_ns[flipped_ns == flipped].max())
        most = starvation(history, flipped, last)
        if last - flipped - most.waited_ns <= LIMIT_NS:
            found[flipped] = most
    return found


def _lasted(ops: pd.DataFrame, answered: Rows, wrong: pd.DataFrame, node: str, at_ns: int, healed_ns: int) -> tuple[int, ...]:
    """The wrong answers that a node gave until a fault was healed, if it then gave right ones; else none.

    "Until" means that the time from the last one to the healing is at most twice the longest time between two of them.
    """
    theirs = wrong[(wrong["node"] == node) & (wrong["done_ns"] >= at_ns)].sort_values("done_ns", kind="stable")
    done_ns = theirs["done_ns"].to_numpy()
    if len(done_ns) < LEAST_WRONG or done_ns[-1] > healed_ns or healed_ns - done_ns[-1] > 2 * np.diff(done_ns).max():
        return ()
    later = ops.iloc[answered]
    again = bool(((later["node"] == node) & (later["sent_ns"] > healed_ns)).any())
    return tuple(map(int, theirs.index)) if again else ()


def _healed_only(node: str, lasted: Sequence[int], healed_ns: int) -> str:
    return (
        f"{node} gave {count(len(lasted), 'wrong prediction')} until the fault was healed at {healed_ns / 1e9:.2f} s, and right"
        " ones after that: only the healing ended it"
    )


def _flips(windows: pd.DataFrame) -> pd.DataFrame:
    """The flips, one row per node and window: `node`, `at_ns`, and `healed_ns`, which is `_EVER` if it was never healed."""
    hit = windows[(windows["fault"] == _FAULT).fillna(False) & windows["injected_ns"].notna() & windows["acted"].fillna(False)]
    times = zip(hit["targets"].fillna(""), hit["injected_ns"], hit["healed_ns"].fillna(_EVER), strict=True)
    rows = [(node, int(at_ns), int(healed_ns)) for targets, at_ns, healed_ns in times for node in targets.split()]
    return pd.DataFrame(rows, columns=["node", "at_ns", "healed_ns"])


def _last_flip_before(rows: pd.DataFrame, flips: pd.DataFrame) -> npt.NDArray[np.int64]:
    """For each answer, when its node's bits were last flipped before it came; `_NEVER` if they were not."""
    found = np.full(len(rows), _NEVER)
    for node, at_ns in flips[["node", "at_ns"]].itertuples(index=False):
        hit = ((rows["node"] == node) & (rows["done_ns"] >= at_ns)).to_numpy(dtype=bool)
        found[hit] = np.maximum(found[hit], at_ns)
    return found


def _stray(stray: pd.DataFrame, flips: pd.DataFrame) -> str:
    first = stray.sort_values("sent_ns").iloc[0]
    times = [f"{node} at {at_ns / 1e9:.2f} s" for node, at_ns in flips[["node", "at_ns"]].itertuples(index=False)]
    nodes = listed(sorted({str(node) or "an unnamed node" for node in stray["node"]}))
    return (
        f"{count(len(stray), 'wrong prediction')} that no flipped bit of the last second accounts for, from {nodes}: op"
        f" {first.name} asked about {first['key']} at {int(first['sent_ns']) / 1e9:.2f} s and got {first['value']} instead of"
        f" {first['expected']}; {f'bits were flipped on {listed(times)}' if times else 'no bits were flipped'}"
    )


def applies(history: History) -> bool:
    """Whether bits were flipped and predictions asked for."""
    return not _flips(history.windows).empty and bool((history.ops["kind"] == "predict").any())
