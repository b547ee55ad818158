"""One seed of a drill: what it adds, its run, and its verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from harness.checkers.balanced import balanced
from harness.checkers.checkpoints_valid import checkpoints_valid
from harness.checkers.corruption_contained import corruption_contained
from harness.checkers.deposed_leaders_refused import deposed_leaders_refused
from harness.checkers.faults_acted import faults_acted
from harness.checkers.guard_held import guard_held
from harness.checkers.leader_completeness import leader_completeness
from harness.checkers.leader_undisturbed import leader_undisturbed
from harness.checkers.locals_unharmed import locals_unharmed
from harness.checkers.loss_parity import loss_parity
from harness.checkers.master_undisturbed import master_undisturbed
from harness.checkers.moved_share import moved_share
from harness.checkers.recovered import recovered
from harness.checkers.replicas_return import replicas_return
from harness.checkers.retry_storm_seen import retry_storm_seen
from harness.checkers.stops_in_time import stops_in_time
from harness.model.drill import Drill
from harness.model.simulated import NotSimulated
from harness.model.verdict import Checker, RunVerdict
from harness.run.judging import beside, check, check_slos
from harness.run.schedule import PlannedWindow, plan
from harness.run.training import with_control
from harness.simulation.record import Recorded, SimulatedRun
from harness.simulation.swarm import Swarm
from harness.simulation.world import BEGIN_S
from results.analysis.judge import SLOResult
from results.record.result import CheckResult, LoadLimits, verdict_of

INVARIANT: Final = "invariant"
REMEMBERS: Final = "remembers_after_crash"
RAISES: Final = "no_callback_raises"
REWRITES: Final = "logs_rewritten_seldom"
AGREES: Final = "agrees_when_healed"
ANSWERS: Final = "answers_when_healed"
"""The names of the checks that only a simulation has."""

OF_THE_FAULTS: Final[tuple[Checker, ...]] = (
    faults_acted,
    replicas_return,
    corruption_contained,
    retry_storm_seen,
    deposed_leaders_refused,
    balanced,
    leader_undisturbed,
    locals_unharmed,
    master_undisturbed,
    recovered,
)
"""Checks of the effects of the drill's own faults, which cannot be judged if other faults interfere."""


OF_AN_OCCASION: Final[tuple[Checker, ...]] = (
    checkpoints_valid,
    leader_completeness,
    loss_parity,
    moved_share,
    stops_in_time,
)
"""Checks of something that the drill brings about but a seed that changes the drill may not: a resumed training, a new leader,
a training long enough to learn, a reported plan for a change of members, a deploy. If they had nothing to judge, such a seed is
not unknown; what they find counts."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of a seed."""

    drill: str
    seed: int
    verdict: RunVerdict
    plain: bool
    """Whether the seed ran the drill unchanged; then SLOs were judged as well."""
    found: tuple[str, ...]
    """The checks that failed, and the SLOs that were missed."""
    why: str
    digest: int
    """A digest of everything that happened."""
    steps: int
    simulated_s: float


@dataclass(frozen=True, kw_only=True)
class Judged:
    """A judged seed, with everything that was recorded."""

    outcome: Outcome
    recorded: Recorded
    run: SimulatedRun
    drill: Drill
    """The drill as the seed changed it."""
    swarm: Swarm
    windows: tuple[PlannedWindow, ...]
    checks: tuple[CheckResult, ...]
    slos: tuple[SLOResult, ...]


def run_seed(name: str, drill: Drill, seed: int, *, swarm: Swarm | None = None, record: bool = False) -> Judged:
    """Run a seed of a drill, with what it draws unless a swarm is given, and judge it.

    Raises `HarnessError` if it cannot be judged.
    """
    swarm = Swarm.of(drill, seed) if swarm is None else swarm
    as_drawn = swarm.drill(drill, seed)
    windows = tuple(plan(as_drawn, seed))
    return judge_run(name, as_drawn, seed, swarm, windows, record=record)


def judge_run(
    name: str, drill: Drill, seed: int, swarm: Swarm, windows: Sequence[PlannedWindow], *, record: bool = False
) -> Judged:
    """Run a drill as the seed changed it, with these windows, and judge it."""
    run = SimulatedRun(drill, windows, seed, swarm=swarm, record=record)
    recorded = run.carry_out()
    recorded.history = with_control(drill.system, recorded.history)
    checks = _checks(drill, swarm, recorded)
    slos: tuple[SLOResult, ...] = ()
    if swarm.plain:
        load = LoadLimits(seconds=drill.load.seconds, timeout_ms=drill.load.timeout_ms)
        slos = tuple(check_slos(recorded.history, drill.slos, load)[1])
    outcome = Outcome(
        drill=name,
        seed=seed,
        verdict=verdict_of(checks, slos),
        plain=swarm.plain,
        found=(*(one.name for one in checks if one.valid is False), *(slo.text for slo in slos if slo.ok is False)),
        why="; ".join(
            [f"{one.name}: {one.why}" for one in checks if one.valid is not True]
            + [f"{slo.text}: {slo.why}" for slo in slos if slo.ok is not True]
        ),
        digest=run.world.digest,
        steps=run.world.steps,
        simulated_s=round(run.world.now - BEGIN_S, 3),
    )
    return Judged(
        outcome=outcome,
        recorded=recorded,
        run=run,
        drill=drill,
        swarm=swarm,
        windows=tuple(windows),
        checks=checks,
        slos=slos,
    )


def _checks(drill: Drill, swarm: Swarm, recorded: Recorded) -> tuple[CheckResult, ...]:
    """The drill's checks and those of every run; with a swarm, without the checks of the drill's own faults."""
    left_out = () if swarm.plain else tuple(one.__name__ for one in OF_THE_FAULTS)
    guard = [guard_held] if drill.guard else []
    wanted = [one for one in (*guard, *drill.checks, *beside(drill, recorded.history)) if one.__name__ not in left_out]
    found = check(recorded.history, dict.fromkeys(wanted))
    if not swarm.plain:
        may_lack = {one.__name__ for one in OF_AN_OCCASION}
        found = tuple(one for one in found if one.valid is not None or one.name not in may_lack)
    told = (
        (INVARIANT, recorded.broken),
        (REMEMBERS, recorded.forgotten),
        (RAISES, recorded.raised),
        (REWRITES, recorded.rewritten),
        (AGREES, recorded.not_agreed),
        (ANSWERS, recorded.unanswered),
    )
    if (error := recorded.invariant_raised) is not None:
        found += (CheckResult(name=INVARIANT, valid=None, why=f"the invariant itself failed: {error}"),)
    return found + tuple(CheckResult(name=name, valid=False, why=why) for name, why in told if why is not None)


def why_not(drill: Drill) -> str | None:
    """Why a drill cannot be simulated, in a line; None if it can."""
    if isinstance(drill.system, NotSimulated):
        return drill.system.why_not_simulated
    for node in drill.system.nodes():
        if node.code is None:
            return f"{node.name} is a foreign program, which only a real process can run"
    for fault in (fault for item in drill.faults for fault in item.faults):
        if fault.on_process_limits:
            return (
                f"{type(fault).__name__} takes memory or descriptors away from a process, and simulated nodes share one process"
                " whose allocations cannot be told apart"
            )
    return None
