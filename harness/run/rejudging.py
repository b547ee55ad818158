"""Judge a recorded run again, by its own checks and SLOs."""

from __future__ import annotations

import math
from typing import Final

import msgspec

from harness.model.errors import HarnessError, UsageError
from harness.model.history import History
from harness.model.verdict import Checker, Verdict
from harness.run import catalog
from harness.run.judging import check, check_slos
from results.analysis.judge import SLOResult
from results.record.result import CheckResult, LoadLimits, Result

_UNKNOWN_LOAD: Final = LoadLimits(seconds=0.0, timeout_ms=math.inf)
"""For runs that did not record their limits: the load lasts as long as its calls."""


def judge_again(result: Result, history: History) -> tuple[tuple[CheckResult, ...], tuple[SLOResult, ...]]:
    """The verdicts of a run's checks and SLOs on its history now."""
    found = check(history, [_checker(made.name, result) for made in result.checks])
    checks = tuple(msgspec.structs.replace(one, asked=made.asked) for one, made in zip(found, result.checks, strict=True))
    _, slos = check_slos(history, [slo.text for slo in result.slos], result.load or _UNKNOWN_LOAD)
    return checks, slos


def _checker(name: str, result: Result) -> Checker:
    """The checker of this name in the catalogue, or else in the run's drill; or one that reports that there is none."""
    try:
        return catalog.find_checker(name)
    except UsageError:
        found, why = _own_checker(name, result)
        return found or _missing(name, why)


def _own_checker(name: str, result: Result) -> tuple[Checker | None, str]:
    drill = result.drill if result.invocation is None else result.invocation.drill
    try:
        own = catalog.find_drill(drill).drill.checks
    except HarnessError as error:
        return None, f"no checker has this name, and the drill cannot be loaded: {error}"
    return next((one for one in own if one.__name__ == name), None), f"neither the catalogue nor {drill} has it any more"


def _missing(name: str, why: str) -> Checker:
    def missing(history: History) -> Verdict:
        """Report why the check cannot be made."""
        return Verdict(valid=None, why=why)

    missing.__name__ = name
    return missing
