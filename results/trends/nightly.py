"""Everything to report in the morning: how the last night ended, what moved, what is left of the error budgets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from harness.model.verdict import EXIT_CODES
from results.record.nights.rows import WAS_SIMULATED
from results.trends.aa_nights import AANights
from results.trends.calibration import Calibration
from results.trends.findings import Finding, Findings, Judged
from results.trends.flaky import Flaky, flaky_drills
from results.trends.nights import Night, RunOutcome
from results.trends.slo_budget import OBJECTIVE, Budget, budgets


@dataclass(frozen=True, kw_only=True)
class Nightly:
    """A history of nights, judged."""

    nights: Sequence[Night]
    """At least one, the earliest first."""
    findings: Findings
    objective: float = OBJECTIVE
    """The share of runs that should meet each SLO."""
    calibration: Calibration | None = None
    """How often the judgement raises false alarms in the noise of these nights; None if that was not measured."""
    aa: AANights | None = None
    """The same, and the smallest change that would be found, from calibration nights with the last night's baselines; None if
    there are none."""

    @property
    def last(self) -> Night:
        return self.nights[-1]

    @cached_property
    def budgets(self) -> tuple[Budget, ...]:
        """The budget of every SLO, the one with the least left first."""
        return budgets(self.nights, self.objective)

    @cached_property
    def flaky(self) -> tuple[Flaky, ...]:
        return flaky_drills(self.nights)

    @property
    def wrong(self) -> list[RunOutcome]:
        """The runs of the last night that showed wrong behaviour, or a known bug that was not caught."""
        return [run for run in self.last.runs if not run.as_expected and run.verdict in ("fail", "pass")]

    @property
    def missed(self) -> list[RunOutcome]:
        """The runs of the last night that did nothing wrong, but missed an SLO."""
        return [run for run in self.last.runs if not run.as_expected and run.verdict == "slo"]

    @property
    def unknown(self) -> list[RunOutcome]:
        """The runs of the last night that could not be judged."""
        return [run for run in self.last.runs if not run.as_expected and run.verdict == "unknown"]

    @cached_property
    def new(self) -> tuple[Finding, ...]:
        """The changes that the last night made certain, and the jumps that it still shows: this morning's news."""
        return tuple(change for change in self.findings.changes if change.news(self.last.name))

    @property
    def worse(self) -> list[Finding]:
        return [change for change in self.new if change.worse]

    @cached_property
    def measured(self) -> tuple[Judged, ...]:
        """The figures that the last night measured."""
        judged = self.findings.judged
        return tuple(one for one in judged if one.series.points and one.series.points[-1].night == self.last.name)

    @property
    def not_counted(self) -> list[RunOutcome]:
        """One run of the last night for each drill that was judged, but has no run whose figures may be compared.

        Simulated runs have no figures to compare.
        """
        counted = {judged.series.drill for judged in self.measured}
        held_up = [run for run in self.last.runs if run.not_counted not in ("", WAS_SIMULATED)]
        found = {run.drill: run for run in held_up if run.verdict != "unknown"}
        return [run for drill, run in found.items() if drill not in counted]

    @property
    def compared(self) -> list[Judged]:
        """The figures of the last night that have enough earlier nights to be compared with."""
        return [judged for judged in self.measured if judged.smallest_at_once is not None]

    @property
    def exit_code(self) -> int:
        """1 if the last night showed wrong behaviour; 3 if it made a regression certain or missed an SLO; 4 if it broke off,
        has a run that could not be judged, or figures that cannot be compared; 0 if nothing moved for the worse.

        A regression outweighs what is unknown: it is one whatever else there was.
        """
        if self.wrong:
            return EXIT_CODES["fail"]
        if self.worse or self.missed:
            return EXIT_CODES["slo"]
        unclear = self.unknown or self.not_counted or self.last.state == "broke off" or not self.compared
        return EXIT_CODES["unknown"] if unclear else 0
