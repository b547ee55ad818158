"""Whether drills catch the known bugs: what one run says of a bug, or of the correct system."""

from __future__ import annotations

from typing import Literal

from results.record.result import Result

Outcome = Literal["caught", "missed", "false alarm", "clean", "unknown"]
"""Of a run with a bug: caught, missed, unknown. Of a run of the correct system: false alarm, clean, unknown."""


def found_by(result: Result) -> tuple[str, ...]:
    """What a run found wrong: the checks that failed, and the SLOs that were missed.

    If a check could not decide, missed SLOs say nothing: they are also missed when the generator was late.
    """
    failed = [check.name for check in result.checks if check.valid is False]
    decided = all(check.valid is not None for check in result.checks)
    return (*failed, *(slo.text for slo in result.slos if decided and slo.ok is False))


def outcome_of(result: Result, caught_by: str | None) -> Outcome:
    """What a run says. `caught_by` is the check or SLO that must find the bug; None if the system is the correct one."""
    found = found_by(result)
    if caught_by is None:
        return "false alarm" if found else "clean" if result.verdict == "pass" else "unknown"
    if caught_by in found:
        return "caught"
    judged = {check.name: check.valid for check in result.checks} | {slo.text: slo.ok for slo in result.slos}
    if judged.get(caught_by) is None or None in (check.valid for check in result.checks):
        return "unknown"
    return "missed"
