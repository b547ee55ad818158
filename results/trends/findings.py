"""What was found in the nights: which metrics moved, since when, by how much, and how small a change would have been seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from results.trends.series import Series

Kind = Literal["shift", "drift", "jump"]
"""`shift`: another level from one night to the next. `drift`: a little more each night. `jump`: the newest night (or the
newest few) is so far from all before it that it is told at once, though it may turn out to be a lone bad night."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A change of one metric of one drill. Levels are in the metric's unit."""

    series: Series
    kind: Kind
    night: str
    """The first night after the change."""
    seen: str
    """The night after which it was certain enough to be told; no later night changes that."""
    before: float
    after: float
    """The level since then, until the next change; of a drift, what it has come to by now."""
    effect: float
    """Relative: 0.05 is 5% more than before. Of a share such as availability, how much more is missing to 1: 1.0 is twice.
    (To what is missing, one in ten thousand is added on both sides.)"""
    interval: tuple[float, float]
    """Of the effect, at 95%."""
    p_adjusted: float
    """Corrected for the number of series and of nights: see `Findings.correction`."""
    worse: bool

    def news(self, night: str) -> bool:
        """Whether the morning after a night is about it: it has become certain, or it is a jump that the night still shows.

        A jump is told every morning until it is over, or a shift.
        """
        return night == (self.series.points[-1].night if self.kind == "jump" else self.seen)


@dataclass(frozen=True, kw_only=True)
class Judged:
    """One series, and how far its judgement reaches."""

    series: Series
    smallest: float | None
    """The smallest relative change for the worse that five nights would show with a chance of 95%, at the present noise;
    None if there are too few nights to tell, or no change that is possible would show."""
    smallest_at_once: float | None
    """The smallest relative change for the worse that the next night alone would show, as a jump, with a chance of 95%; None
    as above. It is never smaller, and can be told of a younger history."""
    notes: tuple[str, ...]
    """What keeps the series from being judged, or what a reader should know: a line each."""


@dataclass(frozen=True, kw_only=True)
class Findings:
    """Everything that was found in some series."""

    changes: tuple[Finding, ...]
    """The latest first; of one night, the worst and largest first."""
    judged: tuple[Judged, ...]
    """In the order of the series that were given."""
    newest: str | None
    """The newest night of all series."""
    correction: str
    """How chance is kept from looking like a change, as a sentence for the report."""

    @property
    def new(self) -> tuple[Finding, ...]:
        """What the newest night made certain, or still shows: what this morning's page is about."""
        return tuple(change for change in self.changes if self.newest is not None and change.news(self.newest))

    @property
    def regressed(self) -> bool:
        """Whether any of it is for the worse."""
        return any(change.worse for change in self.new)
