"""How much of a training's time went into steps that stand, and how it recovered from each fault.

goodput = steps that stand × the median step before the first fault / time from the first step to the last one.
ETTR (effective training time ratio) = time in which a rank did a step that stands / time from the command's start to its end.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from harness.model.rank_process import DoneStep, RankProcess
from results.analysis.lineage import Placed, Rollback, rollbacks, standing, stepping
from results.analysis.sample_sizes import nearest_rank

WARM_UP: Final = 5
"""The first steps of a training are not representative: buffers are allocated, DDP reorders its buckets."""
CLEAN: Final = 10
"""The fewest steps that give a median."""
_FOR_P99: Final = 100
"""With fewer, the p99 is the maximum."""


class TrainMetrics(msgspec.Struct, frozen=True, kw_only=True):
    """The figures of a training. None if a figure cannot be determined."""

    steps: int
    """Steps that stand: every rank that steps at all did them, and they were not lost afterwards."""
    clean_steps: int
    """The steps that `clean_step_ms` is the median of."""
    clean_step_ms: float | None
    step_p50_ms: float | None
    """Of all steps that stand, as are the next two."""
    step_p99_ms: float | None
    step_max_ms: float | None
    goodput: float | None
    ettr: float | None
    lost_steps: int
    replayed_steps: int
    replayed_equal: int
    """Replayed steps that left the parameters as they were the first time, as far as a sample of them shows."""
    bytes_per_step: float | None
    """Bytes that the ranks sent each other, over all links, for each step done; None if they were not counted."""
    longest_stall_s: float | None
    """The longest time without a step."""


class Phases(msgspec.Struct, frozen=True, kw_only=True):
    """How a training recovered from one fault, in seconds after the fault was injected. None if a phase was not reached."""

    window: str
    noticed_s: float | None
    """The launcher exited, or a rank that was not hit."""
    restarted_s: float | None
    """A new process had imported torch."""
    joined_s: float | None
    """Every rank had a new process that was joining the group."""
    first_step_s: float | None
    """Every rank had done a step that it began after the fault; one that got a new process, in that."""
    caught_up_s: float | None
    """Every rank was past the furthest step that any had reached before the fault."""


def measure(
    placed: Sequence[Placed], ranks: int, *, first_fault_ns: int | None, started_ns: int, ended_ns: int, finished: bool,
    sent_bytes: int | None,
) -> TrainMetrics:  # fmt: skip
    """The figures of a training whose command ran from `started_ns` to `ended_ns` and either `finished` or was stopped."""
    each = [standing(placed, rank) for rank in stepping(placed, ranks)]
    steps = min(map(len, each), default=0)
    known = all(one.start is not None for one in placed)
    durations_ms = _ascending_ms(each)
    clean = [_clean(placed, rank, first_fault_ns) for rank in stepping(placed, ranks)]
    clean_steps = min(map(len, clean), default=0)
    clean_ms = [_ms(step) for done in clean for step in done[:clean_steps]]
    clean_step_ms = statistics.median(clean_ms) if clean_steps >= CLEAN else None
    all_steps = [step for one in placed for step in one.process.steps]
    begun_ns = min((step.begun_ns for step in all_steps), default=0)
    done_ns = max((step.done_ns for step in all_steps), default=0) if finished else ended_ns
    lost = rollbacks(placed)
    done = [sum(len(one.process.steps) for one in placed if one.process.rank == rank) for rank in range(ranks)]
    return TrainMetrics(
        steps=steps,
        clean_steps=clean_steps,
        clean_step_ms=clean_step_ms,
        step_p50_ms=nearest_rank(durations_ms, 50) if len(durations_ms) else None,
        step_p99_ms=nearest_rank(durations_ms, 99) if len(durations_ms) >= _FOR_P99 else None,
        step_max_ms=float(durations_ms[-1]) if len(durations_ms) else None,
        goodput=steps * clean_step_ms * 1e6 / (done_ns - begun_ns) if known and clean_step_ms and all_steps else None,
        ettr=_covered_ns([step for stood in each for step in stood[:steps]]) / (ended_ns - started_ns) if known else None,
        lost_steps=_worst(lost, ranks, "lost"),
        replayed_steps=_worst(lost, ranks, "replayed"),
        replayed_equal=_worst(lost, ranks, "equal"),
        bytes_per_step=sent_bytes / max(done) if any(done) and sent_bytes is not None else None,
        longest_stall_s=_longest_stall_s(all_steps, done_ns),
    )


def _clean(placed: Sequence[Placed], rank: int, until_ns: int | None) -> list[DoneStep]:
    """The steps that a rank did before the first fault, even if they were lost then, without the first ones of each process."""
    own = [step for one in placed if one.process.rank == rank for step in one.process.steps[WARM_UP:]]
    return [step for step in own if until_ns is None or step.done_ns < until_ns]


def _covered_ns(steps: Sequence[DoneStep]) -> int:
    """The time in which at least one of the steps was being done. Ranks do steps at the same time, so these overlap."""
    covered, until_ns = 0, 0
    for step in sorted(steps, key=lambda step: step.begun_ns):
        covered += max(step.done_ns - max(step.begun_ns, until_ns), 0)
        until_ns = max(until_ns, step.done_ns)
    return covered


def step_times_ms(placed: Sequence[Placed], ranks: int) -> NDArray[np.float64]:
    """How long each step that stands took the first rank that steps, ascending."""
    return _ascending_ms([standing(placed, rank) for rank in stepping(placed, ranks)])


def _ascending_ms(each: Sequence[Sequence[DoneStep]]) -> NDArray[np.float64]:
    steps = min(map(len, each), default=0)
    return np.sort(np.array([_ms(step) for step in each[0][:steps]] if each else [], dtype=np.float64))


def phases(
    window: str, injected_ns: int, processes: Sequence[RankProcess], placed: Sequence[Placed], ranks: int,
    hit: Sequence[int], launcher_gone_ns: int | None, *, finished: bool, next_ns: int | None = None,
) -> Phases:  # fmt: skip
    """How the training recovered from a fault that began at `injected_ns` and hit the ranks `hit`.

    A process that exited because the training was `finished` did not notice the fault. If the ranks just went on until another
    fault began at `next_ns`, what they were restarted for is that one.
    """
    went_on = next_ns is not None and _went_on(processes, placed, ranks, injected_ns, next_ns)

    def after(at_ns: int | None) -> float | None:
        return None if at_ns is None else (at_ns - injected_ns) / 1e9

    new = [] if went_on else [one for one in processes if (one.joined_ns or one.began_ns or 0) > injected_ns]
    last = {one.rank: one.pid for one in sorted(processes, key=lambda one: one.joined_ns or one.began_ns or 0)}
    old = [one for one in processes if one not in new and not (finished and last[one.rank] == one.pid)]
    gone = [one.gone_ns for one in old if one.rank not in hit and one.gone_ns]
    gone += [launcher_gone_ns] if launcher_gone_ns and not finished else []
    joined = [min((one.joined_ns for one in new if one.rank == rank and one.joined_ns), default=None) for rank in range(ranks)]
    before = max(
        (
            (one.start or 0) + sum(step.done_ns < injected_ns for step in one.process.steps)
            for one in placed
            if (one.process.began_ns or 0) < injected_ns
        ),
        default=0,
    )
    renewed = {one.rank for one in new}  # what their old processes did after the fault, before they were ended, is no recovery
    recovering = [one for one in placed if one.process in new or one.process.rank not in renewed]
    first = [_first_done_ns(recovering, rank, injected_ns) for rank in stepping(placed, ranks)]
    further = [_first_done_ns(recovering, rank, injected_ns, least=before) for rank in stepping(placed, ranks)]
    return Phases(
        window=window,
        noticed_s=None if went_on else after(min((at for at in gone if at >= injected_ns), default=None)),
        restarted_s=after(min((at for one in new if (at := one.loaded_ns) and at >= injected_ns), default=None)),
        joined_s=after(_last(joined)) if new else None,
        first_step_s=after(_last(first)),
        caught_up_s=after(_last(further)),
    )


def _went_on(processes: Sequence[RankProcess], placed: Sequence[Placed], ranks: int, injected_ns: int, next_ns: int) -> bool:
    """Whether between two faults no process ended, and each rank did a step in the process that it had at the first one."""
    ended = any(one.gone_ns is not None and injected_ns <= one.gone_ns < next_ns for one in processes)
    old = [one for one in placed if (one.process.began_ns or 0) <= injected_ns]
    first_ns = _last([_first_done_ns(old, rank, injected_ns) for rank in stepping(placed, ranks)])
    return not ended and first_ns is not None and first_ns < next_ns


def _first_done_ns(placed: Sequence[Placed], rank: int, from_ns: int, least: int | None = None) -> int | None:
    """When a rank had first done a step that it began at `from_ns` or later, and with a number from `least` on if given."""
    return min(
        (
            step.done_ns
            for one in placed
            if one.process.rank == rank and (least is None or one.start is not None)
            for number, step in enumerate(one.process.steps, one.start or 0)
            if step.begun_ns >= from_ns and (least is None or number >= least)
        ),
        default=None,
    )


def _last(times_ns: Sequence[int | None]) -> int | None:
    """The latest; None if any is missing."""
    known = [at_ns for at_ns in times_ns if at_ns is not None]
    return max(known) if known and len(known) == len(times_ns) else None


def _worst(found: Sequence[Rollback], ranks: int, what: str) -> int:
    """A figure summed over the rollbacks of the worst rank; ranks in lockstep lose the same steps, so they are not added up."""
    return max((sum(int(getattr(one, what)) for one in found if one.rank == rank) for rank in range(ranks)), default=0)


def _longest_stall_s(steps: Sequence[DoneStep], until_ns: int) -> float | None:
    if not steps:
        return None
    times_ns = [*sorted(step.done_ns for step in steps), until_ns]
    return max((later - earlier) / 1e9 for earlier, later in pairwise(times_ns)) if len(times_ns) > 1 else None


def _ms(step: DoneStep) -> float:
    return (step.done_ns - step.begun_ns) / 1e6
