"""Judge a recorded run again, by its own checks and SLOs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from harness.checkers.answers_expected import answers_expected, answers_expected_beside
from harness.model.errors import HarnessError, UsageError
from harness.model.history import History
from harness.model.verdict import Checker, Verdict
from harness.run import catalog
from harness.run.judging import check, check_slos
from results.analysis.judge import SLOResult
from results.record.result import CheckResult, LoadLimits, Result

_UNKNOWN_LOAD: Final = LoadLimits(seconds=0.0, timeout_ms=0.0)
"""For runs that did not record their limits: the load lasts as long as its calls, and any without an answer may have timed
out."""


def judge_again(result: Result, history: History) -> tuple[tuple[CheckResult, ...], tuple[SLOResult, ...]]:
    """The verdicts of a run's checks and SLOs on its history now."""
    own, why = _own_checkers(result)
    checkers: list[Checker] = []
    for made in result.checks:  # those that its drill names come first
        one = _checker(made.name, own, why)
        if one is answers_expected and not made.asked:
            one = _beside(tuple(checkers), why)
        checkers.append(one)
    found = check(history, checkers)
    checks = tuple(msgspec.structs.replace(one, asked=made.asked) for one, made in zip(found, result.checks, strict=True))
    _, slos = check_slos(history, [slo.text for slo in result.slos], result.load or _UNKNOWN_LOAD)
    return checks, slos


def _checker(name: str, own: dict[str, list[Checker]], why: str) -> Checker:
    """The checker of this name in the run's drill, whose bounds may be its own, or else in the catalogue.

    If there is none, one that reports `why`.
    """
    if own.get(name):
        return own[name].pop(0)
    try:
        return catalog.find_checker(name)
    except UsageError:
        return _missing(name, why)


def _beside(named: Sequence[Checker], why: str) -> Checker:
    """`answers_expected` beside a drill's own checks; unknown if one of them is lost: it may have compared answers itself."""
    lost = any(one.__module__ == __name__ for one in named)
    return (
        _missing(answers_expected.__name__, f"a check of the drill may compare the answers itself: {why}")
        if lost
        else answers_expected_beside(named)
    )


def _own_checkers(result: Result) -> tuple[dict[str, list[Checker]], str]:
    """The checkers of the run's drill by name, and why there is none of other names."""
    drill = result.drill if result.invocation is None else result.invocation.drill
    try:
        checks = catalog.find_drill(drill).drill.checks
    except HarnessError as error:
        return {}, f"no checker has this name, and the drill cannot be loaded: {error}"
    own: dict[str, list[Checker]] = {}
    for one in dict.fromkeys(checks):
        own.setdefault(one.__name__, []).append(one)
    return own, f"neither the catalogue nor {drill} has it any more"


def _missing(name: str, why: str) -> Checker:
    def missing(history: History) -> Verdict:
        """Report why the check cannot be made."""
        return Verdict(valid=None, why=why)

    missing.__name__ = name
    return missing
