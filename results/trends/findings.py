"""What was found in the nights: which metrics moved, since when, by how much, and the smallest change that would be found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from results.trends.series import Series

Kind = Literal["shift", "drift", "jump"]
"""`shift`: a new level from one night to the next. `drift`: a little more each night. `jump`: the newest night (or the newest
few) is so far from all earlier ones that it is reported at once, although it may turn out to be a single bad night."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A change of one metric of one drill. Levels are in the metric's unit."""

    series: Series
    kind: Kind
    night: str
    """The first night after the change."""
    seen: str
    """The night after which it was certain enough to report; no later night changes that."""
    before: float
    after: float
    """The level from then until the next change; for a drift, the level that it has reached by now."""
    effect: float
    """The relative change: 0.05 is 5% more than before. For a share such as availability, the relative change of what is
    missing to 1: 1.0 means that twice as much is missing. (One in ten thousand is added to both amounts.)"""
    interval: tuple[float, float]
    """The 95% interval of the effect."""
    p_adjusted: float
    """Corrected for the number of series and of nights: see `Findings.correction`."""
    worse: bool

    def news(self, night: str) -> bool:
        """Whether to report it on the morning after a night: the night made it certain, or it is a jump that the night shows.

        A jump is reported every morning until it is over or has become a shift.
        """
        return night == (self.series.points[-1].night if self.kind == "jump" else self.seen)


@dataclass(frozen=True, kw_only=True)
class Judged:
    """One series, and how small a change of it would be found."""

    series: Series
    smallest: float | None
    """The smallest relative change for the worse that five nights would show with a probability of 95%, at the present noise.
    None if there are too few nights to say, or if no possible change would show."""
    smallest_at_once: float | None
    """The smallest relative change for the worse that the next night alone would show, as a jump, with a probability of 95%;
    None as above. It is never smaller than `smallest`, and is known after fewer nights."""
    notes: tuple[str, ...]
    """Why the series is not judged, or what a reader should know about it: a line each."""


@dataclass(frozen=True, kw_only=True)
class Findings:
    """Everything that was found in some series."""

    changes: tuple[Finding, ...]
    """The latest first; within one night, changes for the worse first, then by size."""
    judged: tuple[Judged, ...]
    """In the order in which the series were given."""
    newest: str | None
    """The newest night of all series."""
    correction: str
    """How multiple testing is corrected for, as a sentence for the report."""

    @property
    def new(self) -> tuple[Finding, ...]:
        """The changes that the newest night made certain, and the jumps that it still shows: this morning's news."""
        return tuple(change for change in self.changes if self.newest is not None and change.news(self.newest))

    @property
    def regressed(self) -> bool:
        """Whether any of the news is for the worse."""
        return any(change.worse for change in self.new)
