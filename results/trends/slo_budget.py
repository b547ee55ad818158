"""How much of its error budget each SLO has left after the last nights, how fast it burns, and when it will run out.

After Google's "The Site Reliability Workbook", chapter 5 ("Alerting on SLOs"): an objective of 95% leaves a budget of 5% of the
runs, a burn rate of 1 spends exactly that by the end of the period, and an alert requires a high burn rate both in a long
window (enough has been spent to matter) and in a short one (it is still burning).

The workbook's windows (1 h and 5 min, 6 h and 30 min, 3 d and 6 h, of 30 days) are shorter than the time between nights.
`ALERTS` scales them: the period is 90 nights, the shortest window is one night. One bad night may be chance, so no alert rests
on one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import median
from typing import Final

from results.trends.nights import Night, RunOutcome, latest_definitions

WINDOWS_NIGHTS: Final = (7, 30, 90)
PERIOD_NIGHTS: Final = 90
"""The period of an error budget."""
OBJECTIVE: Final = 0.95
"""The default share of runs that should meet an SLO."""
_RECENT_NIGHTS: Final = 30
"""The future burn rate of a budget is taken to be that of this many last nights."""


@dataclass(frozen=True, kw_only=True)
class Alert:
    """A pair of windows, and the burn rate that must be reached in both."""

    long_nights: int
    short_nights: int
    rate: float


ALERTS: Final = (
    Alert(long_nights=3, short_nights=1, rate=10),
    Alert(long_nights=10, short_nights=3, rate=4),
    Alert(long_nights=30, short_nights=7, rate=1.5),
)
"""They fire when 33%, 44% and 50% of the period's budget have been spent within the long window."""


@dataclass(frozen=True, kw_only=True)
class Attainment:
    """How many runs of the last nights met an SLO."""

    nights: int
    """How long the window is; the history may be shorter."""
    met: int
    missed: int
    unknown: int
    """Runs in which the SLO could not be judged. They count neither as met nor as missed."""

    @property
    def share(self) -> float | None:
        """The share of judged runs that met the SLO, 0 to 1; None if there is none."""
        judged = self.met + self.missed
        return self.met / judged if judged else None


@dataclass(frozen=True, kw_only=True)
class Burn:
    """How fast the budget burns in a pair of windows. A rate is None if the SLO was judged in no run of the window."""

    alert: Alert
    long_rate: float | None
    short_rate: float | None
    fires: bool


@dataclass(frozen=True, kw_only=True)
class Budget:
    """One SLO of one drill, as the drill is defined now."""

    drill: str
    slo: str
    objective: float
    attained: tuple[Attainment, ...]
    """Over each of `WINDOWS_NIGHTS`."""
    allowed: float
    """How many runs may miss the SLO in a period, at the average number of runs per night so far."""
    spent: int
    """How many runs missed it in the last period."""
    burns: tuple[Burn, ...]
    """For each of `ALERTS`."""
    ends_utc: datetime | None
    """When the budget will run out at the rate of the last 30 nights; None if it will not, or already has."""

    @property
    def left(self) -> float:
        """The share of the budget that is left; negative if more than all of it has been spent."""
        return 1 - self.spent / self.allowed if self.allowed else 1.0

    @property
    def fires(self) -> bool:
        return any(burn.fires for burn in self.burns)


@dataclass(frozen=True)
class _Count:
    """How many runs of one night met an SLO, missed it, or could not judge it."""

    met: int = 0
    missed: int = 0
    unknown: int = 0

    @classmethod
    def of(cls, answers: Iterable[bool | None]) -> _Count:
        told = list(answers)
        return cls(met=told.count(True), missed=told.count(False), unknown=told.count(None))


def budgets(nights: Sequence[Night], objective: float = OBJECTIVE) -> tuple[Budget, ...]:
    """The budget of every SLO of every drill, the one with the least left first.

    `nights` are all nights, the earliest first. Only runs with a drill's latest definition count: an edited drill has a new
    budget. A run whose verdict is unknown says nothing about its SLOs. `objective` is between 0 and 1, exclusive.
    """
    if not 0 < objective < 1:
        raise ValueError(f"an objective is a share between 0 and 1, not {objective}")
    period = nights[-PERIOD_NIGHTS:]
    definitions = latest_definitions(period)
    answers: dict[tuple[str, str], dict[int, list[bool | None]]] = {}
    for number, night in enumerate(period):
        for run in night.runs:
            if run.definition == definitions.get(run.drill):
                for slo, met in _answers(run):
                    answers.setdefault((run.drill, slo), {}).setdefault(number, []).append(met)
    found = []
    for (drill, slo), by_night in answers.items():
        counts = [_Count.of(by_night.get(number, ())) for number in range(min(by_night), len(period))]
        found.append(_budget(drill, slo, counts, objective, period))
    return tuple(sorted(found, key=lambda budget: (budget.left, budget.drill, budget.slo)))


def _answers(run: RunOutcome) -> Iterator[tuple[str, bool | None]]:
    """Whether each SLO was met; nothing for a run that was meant to fail."""
    if run.as_expected and run.verdict != "pass":
        return
    for slo in run.slos:
        yield slo.text, None if run.verdict == "unknown" else slo.ok


def _budget(drill: str, slo: str, counts: Sequence[_Count], objective: float, nights: Sequence[Night]) -> Budget:
    judged = sum(count.met + count.missed for count in counts)
    allowed = round((1 - objective) * judged / len(counts) * PERIOD_NIGHTS, 9)  # 5% of 90 is exactly 4.5
    spent = sum(count.missed for count in counts)
    return Budget(
        drill=drill,
        slo=slo,
        objective=objective,
        attained=tuple(_attainment(counts, window) for window in WINDOWS_NIGHTS),
        allowed=allowed,
        spent=spent,
        burns=tuple(_burn(counts, alert, objective) for alert in ALERTS),
        ends_utc=_end(counts, allowed, nights),
    )


def _attainment(counts: Sequence[_Count], nights: int) -> Attainment:
    window = counts[-nights:]
    return Attainment(
        nights=nights,
        met=sum(count.met for count in window),
        missed=sum(count.missed for count in window),
        unknown=sum(count.unknown for count in window),
    )


def _burn(counts: Sequence[_Count], alert: Alert, objective: float) -> Burn:
    long_rate, short_rate = (_rate(counts[-nights:], objective) for nights in (alert.long_nights, alert.short_nights))
    missed_nights = sum(count.missed > 0 for count in counts[-alert.long_nights :])
    reached = all(rate is not None and round(rate, 9) >= alert.rate for rate in (long_rate, short_rate))
    return Burn(alert=alert, long_rate=long_rate, short_rate=short_rate, fires=reached and missed_nights >= 2)


def _rate(counts: Sequence[_Count], objective: float) -> float | None:
    judged = sum(count.met + count.missed for count in counts)
    return sum(count.missed for count in counts) / judged / (1 - objective) if judged else None


def _end(counts: Sequence[_Count], allowed: float, nights: Sequence[Night]) -> datetime | None:
    """When the misses within one period reach the allowed number, if future nights miss as often as the recent ones did.

    Nights that are more than a period old no longer count.
    """
    missed = [count.missed for count in counts]
    recent = missed[-_RECENT_NIGHTS:]
    a_night = sum(recent) / len(recent)
    if sum(missed) >= allowed or a_night == 0:
        return None
    missed = [0] * (PERIOD_NIGHTS - len(missed)) + missed
    for ahead in range(1, PERIOD_NIGHTS + 1):
        if round(sum(missed[ahead:]) + ahead * a_night, 9) >= allowed:
            return nights[-1].began_utc + ahead * _between(nights)
    return None


def _between(nights: Sequence[Night]) -> timedelta:
    """The median time from one night to the next."""
    gaps = [(later.began_utc - earlier.began_utc).total_seconds() for earlier, later in pairwise(nights)]
    return timedelta(seconds=max(median(gaps), 0)) if gaps else timedelta(days=1)
