"""Run the known bugs in the drills that must catch them, and the correct systems in the same drills."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from harness.checkers._starvation import Starvation, starvation
from harness.cluster.fault_plane import PlaneKind
from harness.cluster.requirements import missing_for
from harness.model.bug import Bug, HasBugs
from harness.model.errors import HarnessError, UsageError, hint
from harness.run import catalog, provenance
from harness.run.fingerprint import code_fingerprint
from harness.run.judging import ALWAYS, CONDITIONS
from harness.run.observer import Observer
from harness.run.runner import run
from harness.run.spec import RunSpec, run_spec_of
from results.record.detection import Conditions, MatrixRow, Outcome, Trial
from results.record.result import Result

MAX_WAITED: Final = 0.25
"""A run does not count if one of its processes waited for a CPU for more than this share of the load's time.

Measured on a crowded machine: of the correct systems' runs below it, 0 of 7 missed an SLO; of those above 0.3, 8 of 14 did.
"""


@dataclass(frozen=True, kw_only=True)
class Subject:
    """The subject of one row of the matrix: a system with a known bug, or the correct system."""

    system: str
    drill: str
    bug: Bug[object] | None
    lacks: str | None
    """What this machine lacks to run the drill; None if it lacks nothing."""

    @property
    def bug_name(self) -> str | None:
        return self.bug.name if self.bug else None

    @property
    def caught_by(self) -> str | None:
        """The check or SLO that must catch the bug."""
        return self.bug.caught_by[1] if self.bug else None

    def spec(self, seed: int, plane: PlaneKind) -> RunSpec:
        """The spec of this row's run with a seed."""
        settings = [f"system.bug={self.bug.name}"] if self.bug else []
        return run_spec_of(catalog.find_drill(self.drill, settings), seed, settings, plane)

    def row(self, trials: Sequence[Trial]) -> MatrixRow:
        """The matrix row that summarizes the trials."""
        return MatrixRow.of(
            trials,
            system=self.system,
            drill=self.drill,
            bug=self.bug_name,
            what=self.bug.what if self.bug else "",
            caught_by=self.caught_by,
            lacks=self.lacks,
        )


def subjects(system: str | None, bugs: Sequence[str]) -> list[Subject]:
    """The rows of a matrix: all bugs, or only one system's or the named ones; grouped by drill, the correct system first.

    Raises `UsageError` if there is no such system or bug, or if a bug's `caught_by` is wrong.
    """
    catalogs = catalog.bug_catalogs() if system is None else dict([catalog.find_bug_catalog(system)])
    known = [(name, bug) for name, bugs_of in catalogs.items() for bug in bugs_of.values()]
    for asked in bugs:
        if asked not in {bug.name for _, bug in known}:
            raise UsageError(f"No bug called {asked!r}. {hint(asked, [bug.name for _, bug in known])}")
    chosen = [(name, bug) for name, bug in known if not bugs or bug.name in bugs]
    for name, bug in chosen:
        _check(name, bug)
    rows: list[Subject] = []
    for name, drill in dict.fromkeys((name, bug.caught_by[0]) for name, bug in chosen):
        found = catalog.find_drill(drill).drill
        lacks = missing_for(found.system, namespaces=found.namespaces)
        rows.append(Subject(system=name, drill=drill, bug=None, lacks=lacks))
        for system_name, bug in chosen:
            if (system_name, bug.caught_by[0]) == (name, drill):
                rows.append(Subject(system=name, drill=drill, bug=bug, lacks=lacks))
    return rows


def _check(system: str, bug: Bug[object]) -> None:
    """Raise `UsageError` unless a bug's drill has its system, without a bug, and the check or SLO that must catch it."""
    name, check = bug.caught_by
    said = f"{system}'s bug {bug.name!r} is to be caught"
    if name not in catalog.drill_files():
        raise UsageError(f"{said} by the drill {name!r}, which does not exist. {hint(name, catalog.drill_files())}")
    drill = catalog.find_drill(name).drill
    if not isinstance(drill.system, HasBugs) or drill.system.bug is not None or drill.system.bugs.get(bug.name) is not bug:
        found = f"{type(drill.system).__name__}(bug={getattr(drill.system, 'bug', None)!r})"
        raise UsageError(f"{said} by {name}, whose system is {found}. Name a drill of {system} without a bug.")
    judged = [checker.__name__ for checker in (*drill.checks, *ALWAYS)] + list(drill.slos)
    if check not in judged:
        raise UsageError(f"{said} by {check!r}, which {name} does not judge. {hint(check, judged)}")


def conditions(plane: PlaneKind) -> Conditions:
    """The code, fault plane, machine and versions of runs made here and now."""
    return Conditions(code=code_fingerprint(), fault_plane=plane, machine=provenance.machine(), versions=provenance.versions())


def run_trial(subject: Subject, seed: int, spec: RunSpec, runs: Path, observer: Observer) -> Trial:
    """Run one row with one seed. Delete the run if its outcome is as expected; keep any other for investigation."""
    begun_s = time.monotonic()
    rerun = spec.invocation.line() if spec.invocation else ""
    try:
        done = run(spec, runs=runs, observer=observer)
    except UsageError:
        raise
    except HarnessError as error:
        return Trial(
            drill=subject.drill,
            bug=subject.bug_name,
            seed=seed,
            outcome="unknown",
            why=f"the run broke off: {error}",
            duration_s=round(time.monotonic() - begun_s, 3),
            rerun=rerun,
        )
    load_ns = round(spec.drill.load.seconds * 1e9)
    longest = starvation(done.history, 0, load_ns)
    waited = longest.waited_ns / load_ns
    outcome = outcome_of(done.result, subject.caught_by, waited)
    expected = outcome in ("caught", "clean")
    if expected:
        shutil.rmtree(done.run_dir)
    return Trial(
        drill=subject.drill,
        bug=subject.bug_name,
        seed=seed,
        outcome=outcome,
        found=found_by(done.result),
        why=_why(done.result, subject.caught_by, longest if waited > MAX_WAITED else None),
        waited_share=round(waited, 3),
        duration_s=done.result.duration_s,
        rerun=rerun,
        run_dir=None if expected else str(done.run_dir),
    )


def found_by(result: Result) -> tuple[str, ...]:
    """What a run found wrong: the checks that failed, and the SLOs that were missed."""
    failed = [check.name for check in result.checks if check.valid is False]
    return (*failed, *(slo.text for slo in result.slos if slo.ok is False))


def outcome_of(result: Result, caught_by: str | None, waited_share: float = 0.0) -> Outcome:
    """The outcome of a run of a bug, or of the correct system.

    A run counts if it went as its drill says: every fault acted, the generator kept up, no guard ended it, and the machine let
    its processes run (`waited_share` is the longest wait of a process for a CPU, as a share of the load's time). Whether a run
    counts must not depend on what it found, or the matrix would be biased. The exception is a check that fails for the correct
    system: it counts in any case, because that must never happen.

    `caught_by` is the check or SLO that must catch the bug; None if the system is the correct one.
    """
    judged = [(check.name, check.valid) for check in result.checks]
    counts = waited_share <= MAX_WAITED and not any(name in CONDITIONS and valid is None for name, valid in judged)
    if caught_by is None:
        if any(valid is False for _, valid in judged) or (counts and found_by(result)):
            return "false alarm"
        return "clean" if counts and result.verdict == "pass" else "unknown"
    # A drill may have a check twice, with different bounds.
    held = [valid for name, valid in (*judged, *((slo.text, slo.ok) for slo in result.slos)) if name == caught_by]
    if not counts or not held or (None in held and False not in held):
        return "unknown"
    return "caught" if False in held else "missed"


def _why(result: Result, caught_by: str | None, starved: Starvation | None) -> str:
    """Why the run does not count, if so; then what the bug's check said, and everything else that failed or is undecided."""
    said = [(check.name, check.valid, check.why) for check in result.checks]
    said += [(slo.text, slo.ok, slo.why) for slo in result.slos]
    telling = [(name, why) for name, fine, why in said if name == caught_by or fine is not True]
    telling.sort(key=lambda told: (told[0] not in CONDITIONS, told[0] != caught_by))
    parts = [f"the machine was too busy: {starved}"] if starved else []
    parts += [f"{name}: {why}" for name, why in telling]
    return "; ".join(parts) or "every check and SLO held"
