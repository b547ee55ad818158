"""Turn a run's history into its result: verdicts of checkers and SLOs, metrics, and the machine it ran on."""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Iterable, Sequence
from dataclasses import fields, replace
from datetime import datetime
from pathlib import Path
from typing import Final

import msgspec
import numpy as np

from harness.checkers import all_settled as settling
from harness.checkers._starvation import disturbed
from harness.checkers._wording import listed
from harness.checkers.all_settled import all_settled
from harness.checkers.answers_expected import answers_expected_beside, applies_beside
from harness.checkers.calls_done import calls_done
from harness.checkers.faults_acted import faults_acted
from harness.checkers.generator_kept_up import generator_kept_up
from harness.checkers.guard_held import guard_held
from harness.checkers.nodes_stayed_up import nodes_stayed_up
from harness.checkers.nothing_leaked import nothing_leaked
from harness.model.drill import Drill
from harness.model.history import History
from harness.model.reasons import reasons
from harness.model.slo import SLO
from harness.model.verdict import Checker, Verdict, stated_beside
from harness.run import provenance
from harness.run.definition import definition_of
from harness.run.spec import RunSpec
from results.analysis.judge import SLOResult, judge
from results.analysis.metrics import Measurements, measure
from results.record.result import VERSION, CheckResult, LoadLimits, Result, verdict_of

ALWAYS: Final[tuple[Checker, ...]] = (calls_done, nodes_stayed_up, nothing_leaked, faults_acted, generator_kept_up)
"""The checks of every run, besides its drill's own."""

CONDITIONS: Final = tuple(check.__name__ for check in (faults_acted, generator_kept_up, guard_held))
"""The checks that tell whether a run went as its drill says."""

_CHECKERS: Final = Path(settling.__file__).parent
"""The harness's own checkers, which change nothing."""


def beside(drill: Drill, history: History) -> tuple[Checker, ...]:
    """The checks of this run besides its drill's own: those of every run, and those that have something to judge in it."""
    settled = [all_settled] if settling.applies(history) else []  # not every system reports its pending work
    # A workload that says which answers are right wants them compared, even if no check of its drill does that.
    compared = [answers_expected_beside(drill.checks)] if applies_beside(drill.checks, history) else []
    return (*(checker for checker in (*ALWAYS, *settled) if checker not in drill.checks), *compared)


def check(history: History, checks: Iterable[Checker]) -> tuple[CheckResult, ...]:
    """Each checker's verdict on a history."""
    found = []
    for checker in checks:
        verdict = _verdict(checker, history)
        found.append(
            CheckResult(
                name=checker.__name__,
                valid=verdict.valid,
                why=verdict.why,
                ops=verdict.ops,
                explained_until_ns=verdict.explained_until_ns,
                cycle=verdict.cycle,
            )
        )
    return tuple(found)


def _verdict(checker: Checker, history: History) -> Verdict:
    """A checker's verdict, in plain values. It may be user code: if it fails, the verdict is unknown, and the run is kept."""
    verdict: object
    try:
        verdict = checker(_given(history, checker))
    except (Exception, SystemExit) as error:
        return _failed(raised(error))
    if not isinstance(verdict, Verdict):
        return _failed(f"it returned {verdict!r}, not a Verdict")
    if not (verdict.valid is None or isinstance(verdict.valid, bool | np.bool_)):
        return _failed(f"its verdict has valid={verdict.valid!r}, which must be True, False or None")
    if not isinstance(verdict.why, str):
        return _failed(f"its verdict has why={verdict.why!r}, which must be a text")
    rows = range(len(history.ops))
    if not isinstance(verdict.ops, Iterable):
        return _failed(f"its verdict has ops={verdict.ops!r}, which must be rows of history.ops")
    if odd := [op for op in verdict.ops if not _is_row(op, rows)]:
        return _failed(
            f"its verdict has {odd[0]!r} among its ops, which must be rows of history.ops, of which there are {len(rows):,}"
        )
    until_ns = verdict.explained_until_ns
    if not (until_ns is None or isinstance(until_ns, int | np.integer)):
        return _failed(f"its verdict has explained_until_ns={until_ns!r}, which must be whole nanoseconds or None")
    try:
        cycle = tuple(replace(one, source=int(one.source), target=int(one.target)) for one in verdict.cycle)
    except (TypeError, AttributeError):
        return _failed(f"its verdict has cycle={verdict.cycle!r}, which must be Dependency objects")
    valid = None if verdict.valid is None else bool(verdict.valid)  # numpy's own types cannot be stored
    why = f"{verdict.why}{_other_kinds(checker, history)}" if valid is None else verdict.why
    until_ns = None if until_ns is None else int(until_ns)
    return Verdict(valid=valid, why=why, ops=tuple(map(int, verdict.ops)), explained_until_ns=until_ns, cycle=cycle)


def _given(history: History, checker: Checker) -> History:
    """The history, for a check of the user's with frames of its own: what it changes in them, no other check may see."""
    code = getattr(inspect.unwrap(checker), "__code__", None)
    if code is not None and Path(code.co_filename).is_relative_to(_CHECKERS):
        return history
    return replace(history, **{field.name: getattr(history, field.name).copy(deep=False) for field in fields(history)})


def _other_kinds(checker: Checker, history: History) -> str:
    """For a check that cannot decide: what it would judge, if there is no call of such a kind. A name may be misspelled."""
    kinds = stated_beside(checker, "KINDS")
    there = list(map(str, history.ops["kind"].unique()))
    if not isinstance(kinds, tuple) or not there or set(kinds) & set(there):
        return ""
    return f"; it judges calls of kind {listed(sorted(kinds))}, and here are only {listed(sorted(there))}"


def _is_row(op: object, rows: range) -> bool:
    return isinstance(op, int | np.integer) and int(op) in rows


def _failed(why: str) -> Verdict:
    return Verdict(valid=None, why=f"the check itself failed: {why}")


def raised(error: BaseException) -> str:
    """What an error of the user's code says, and its line, which is not in a package that the code uses, such as pandas."""
    frames = traceback.extract_tb(error.__traceback__)
    last = next((frame for frame in reversed(frames) if "site-packages" not in frame.filename), frames[-1])
    return f"{type(error).__name__}: {error} ({Path(last.filename).name}, line {last.lineno})"


def check_slos(history: History, texts: Sequence[str], load: LoadLimits) -> tuple[Measurements, tuple[SLOResult, ...]]:
    """A history's figures, and the result of each SLO."""
    slos = [SLO.parse(text) for text in texts]
    measured = measure(history, slos, load.seconds, load.timeout_ms)
    return measured, tuple(_judged(slo, measured, history) for slo in slos)


def _judged(slo: SLO, measured: Measurements, history: History) -> SLOResult:
    """The result of an SLO. A missed SLO is unknown if other processes kept the machine busy, because they may be to blame."""
    found = judge(slo, measured)
    load = history.load
    missed = found.ok is False and not load.empty
    busy = disturbed(history, 0, int(load["done_ns"].max())) if missed else None
    return found if busy is None else msgspec.structs.replace(found, ok=None, why=f"{found.why}, but {busy}")


def conclude(spec: RunSpec, history: History, started: datetime, duration_s: float) -> Result:
    drill = spec.drill
    load = LoadLimits(seconds=drill.load.seconds, timeout_ms=drill.load.timeout_ms)
    measured, slos = check_slos(history, drill.slos, load)
    guard = [guard_held] if drill.guard else []  # first: if it stopped the drill, that is why others cannot decide
    always = [msgspec.structs.replace(found, asked=False) for found in check(history, beside(drill, history))]
    checks = (*check(history, dict.fromkeys((*guard, *drill.checks))), *always)
    return Result(
        drill=spec.name,
        title=spec.title,
        seed=spec.seed,
        verdict=verdict_of(checks, slos),
        checks=checks,
        slos=slos,
        metrics=measured.metrics(),
        errors=reasons(history.load),
        recoveries=measured.recoveries,
        faults=history.fault_windows,
        rerun="" if spec.invocation is None else spec.invocation.line(),
        version=VERSION,
        definition=definition_of(drill),
        invocation=spec.invocation,
        started_utc=started.isoformat(timespec="seconds"),
        duration_s=round(duration_s, 3),
        machine=provenance.machine(),
        versions=provenance.versions(),
        commit=provenance.commit(),
        fault_plane=spec.plane,
        expected="pass" if drill.caught_by is None else "fail",
        load=load,
        caught_by=None if drill.caught_by is None else drill.caught_by.__name__,
    )
