"""The runs of a night, and what the history of nights keeps of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from harness.checkers._starvation import disturbed
from harness.cluster.fault_plane import PlaneKind
from harness.model.history import History
from harness.model.verdict import RunVerdict
from harness.run import provenance
from harness.run.catalog import NamedDrill
from harness.run.definition import definition_of
from harness.run.judging import CONDITIONS
from harness.run.spec import RunSpec, run_spec_of
from results.record.nights.facts import digest_of, facts_of
from results.record.nights.figures import figures_of, latencies_of
from results.record.nights.recording import Measured, NightPlan
from results.record.nights.rows import WAS_SIMULATED
from results.record.result import Result


@dataclass(frozen=True, kw_only=True)
class PlannedRun:
    """One run of a night."""

    repeat: int
    """From 1."""
    spec: RunSpec


def planned_runs(drills: Sequence[NamedDrill], repeats: int, seed: int, plane: PlaneKind) -> list[PlannedRun]:
    """All runs of a night. Every other repeat goes through the drills backwards.

    Whatever drifts in the course of a night, such as the machine's temperature, then affects the first and the last drill
    alike. The first repeat has the seed `seed`, the second the next one, …
    """
    return [
        PlannedRun(repeat=repeat + 1, spec=run_spec_of(named, seed + repeat, (), plane))
        for repeat in range(repeats)
        for named in (drills if repeat % 2 == 0 else reversed(drills))
    ]


def night_plan(suite: str | None, runs: Sequence[PlannedRun], repeats: int, seed: int, plane: PlaneKind) -> NightPlan:
    """The plan of a night that begins now, on this machine."""
    return NightPlan(
        suite=suite or "",
        began_utc=datetime.now(UTC),
        commit=provenance.commit(),
        seed=seed,
        repeats=repeats,
        planned=len(runs),
        facts=facts_of(provenance.machine(), provenance.versions(), plane),
        environment=provenance.environment(),
    )


def measured_of(result: Result, history: History, run_dir: Path, repeat: int) -> Measured:
    """What the history of nights keeps of a completed run."""
    return Measured(
        drill=result.drill,
        repeat=repeat,
        seed=result.seed,
        began_utc=datetime.fromisoformat(result.started_utc),
        duration_s=result.duration_s,
        verdict=result.verdict,
        as_expected=result.as_expected,
        why=_why(result),
        not_counted=_not_counted(result, history),
        checks=result.checks,
        slos=result.slos,
        recoveries=result.recoveries,
        figures=figures_of(result.metrics, history),
        histogram=latencies_of(history),
        definition=result.definition or _definition_before(result),
        rerun=result.rerun,
        run_folder=str(run_dir),
        identity=digest_of([result.drill, result.seed, result.started_utc, result.duration_s, result.metrics.requests]),
    )


def name_if_simulated(drill: str) -> str:
    """The name under which the history keeps a drill's simulated runs."""
    return f"{drill} (simulated)"


def as_simulated(measured: Measured) -> Measured:
    """What the history keeps of a simulated run: how it ended, under a name of its own.

    Its figures are of simulated time. Seeds that hold are not kept one by one, so the SLOs of one that did not are no part of
    an error budget either.
    """
    alone = {"figures": (), "slos": (), "histogram": None, "not_counted": WAS_SIMULATED}
    return msgspec.structs.replace(measured, drill=name_if_simulated(measured.drill), **alone)


def held_in_simulation(named: NamedDrill, expected: int, told: str, began_utc: datetime, seed: int) -> Measured:
    """What the history keeps of a drill's simulated seeds, none of which was wrong; `seed` is the first of them.

    `expected` is how many held, or caught the weakness that the drill is known to have. A seed that could not be judged does
    not change the verdict on the others. If none ended as expected, the verdict is unknown.
    """
    verdict: RunVerdict = "pass" if expected else "unknown"
    return Measured(
        drill=named.name,
        repeat=1,
        seed=seed,
        began_utc=began_utc,
        duration_s=(datetime.now(UTC) - began_utc).total_seconds(),
        verdict=verdict,
        as_expected=verdict == "pass",
        why=told,
        not_counted="",
        definition=definition_of(named.drill),
        rerun=f"harness simulate {named.again}",
        run_folder="",
        identity=digest_of([named.name, seed, began_utc.isoformat()]),
    )


def _why(result: Result) -> str:
    """Everything that was wrong, then everything that is unknown."""
    said = [(check.valid, check.name, check.why) for check in result.checks]
    said += [(slo.ok, slo.text, slo.why) for slo in result.slos]
    return "; ".join(f"{name}: {why}" for kind in (False, None) for held, name, why in said if held is kind)


def _not_counted(result: Result, history: History) -> str:
    """Why a run did not go as its drill says, or was held up by other processes; empty if its figures can be compared."""
    undecided = [check for check in result.checks if check.name in CONDITIONS and check.valid is None]
    if undecided:
        return f"{undecided[0].name}: {undecided[0].why}"
    load = history.load
    return (disturbed(history, 0, int(load["done_ns"].max())) or "") if len(load) else "no call fell due"


def _definition_before(result: Result) -> str:
    """A substitute for the drill's digest, from the result alone, for runs that did not record the digest."""
    settings = () if result.invocation is None else result.invocation.settings
    return digest_of([result.title, [check.name for check in result.checks], [slo.text for slo in result.slos], settings])
