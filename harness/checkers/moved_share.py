"""Check that a change of members moves all that was planned and no more than necessary."""

from __future__ import annotations

import math
from typing import Final

from harness.checkers._wording import count, listed
from harness.model.history import History
from harness.model.node_events import BrokenEvent, told
from harness.model.partition_events import Copied, Planned, Settled
from harness.model.verdict import Verdict

_TOLERANCE: Final = 0.35
"""As a share of a copy's bytes: what is written meanwhile may be longer or shorter than what it replaces."""
_TOLERANCE_BYTES: Final = 4096
_DEVIATIONS: Final = 3.0


def moved_share(history: History) -> Verdict:
    """A change of members moves about as few copies as possible, and each copy is as large as its source.

    Judges `planned`, `copied` and `settled` events (`harness.model.partition_events`). Of c copies, an ideal share p moves p·c
    on average; hashing scatters that like c draws, so up to three standard deviations and one copy more are allowed. A copy
    may differ by 35% and 4 KiB from the size that its source reported, for what is written meanwhile. Unknown if no plan with
    a change of members was carried out to its end.
    """
    try:
        plans = [each for each in told(history, {"planned": Planned}) if each.event.why == "members" and each.event.ideal != 0]
        copies = told(history, {"copied": Copied})
        settled = told(history, {"settled": Settled})
    except BrokenEvent as error:
        return Verdict(valid=None, why=str(error))
    wrong = []
    for plan in plans:
        share, ideal = plan.event.moves / plan.event.copies, plan.event.ideal
        if ideal is not None and share > (most := _most(ideal, plan.event.copies)):
            wrong.append(
                f"the plan of epoch {plan.event.epoch} moves {share:.0%} of all copies; {ideal:.0%} has to move, and chance"
                f" explains up to {most:.0%}"
            )
    for copy in copies:
        apart = abs(copy.event.taken_bytes - copy.event.of_bytes)
        if apart > _TOLERANCE * copy.event.of_bytes + _TOLERANCE_BYTES:
            wrong.append(
                f"{copy} had copied {copy.event.taken_bytes:,} bytes of the partition from {copy.event.low!r}, of which its"
                f" owner had {copy.event.of_bytes:,}"
            )
    if wrong:
        return Verdict(valid=False, why=listed(wrong))
    last_ns = max((one.at_ns for one in settled), default=-math.inf)
    done = [plan for plan in plans if plan.at_ns <= last_ns]
    if not done:
        return Verdict(valid=None, why="no change of members was carried out to its end")
    taken_bytes = sum(copy.event.taken_bytes for copy in copies)
    moved = listed([f"{plan.event.moves / plan.event.copies:.1%}{_ideal(plan.event)}" for plan in done])
    return Verdict(
        valid=True,
        why=f"{count(len(done), 'change')} of members moved {moved} of all copies;"
        f" what was copied is {taken_bytes:,} bytes of {sum(copy.event.of_bytes for copy in copies):,}",
    )


def _most(ideal: float, copies: int) -> float:
    return ideal + _DEVIATIONS * math.sqrt(ideal * (1 - min(ideal, 1.0)) / copies) + 1 / copies


def _ideal(plan: Planned) -> str:
    return "" if plan.ideal is None else f" (ideal {plan.ideal:.1%})"


def applies(history: History) -> bool:
    """Whether members came or went."""
    return bool((history.events["kind"] == "copied").any())
