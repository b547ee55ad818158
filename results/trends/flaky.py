"""Drills that sometimes pass and sometimes do not, though nothing was changed in between."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from results.analysis.proportions import Interval, wilson
from results.trends.nights import Night, RunOutcome

WINDOW_NIGHTS: Final = 30


@dataclass(frozen=True, kw_only=True)
class SeedMix:
    """How the runs with one seed ended."""

    seed: int
    passed: int
    failed: int


@dataclass(frozen=True, kw_only=True)
class Flaky:
    """A drill whose runs at one commit, as it is defined there, ended differently."""

    drill: str
    commit: str
    runs: int
    """Those that could be judged."""
    failed: int
    """Those of them that did not end as the drill expects."""
    unknown: int
    """Runs that could not be judged; they are not among `runs`."""
    by_seed: tuple[SeedMix, ...]
    first_night: str
    """The first night that failed."""
    last_night: str
    example: RunOutcome
    """The latest run that failed."""

    @property
    def rate(self) -> float:
        return self.failed / self.runs

    @property
    def interval(self) -> Interval:
        """Of the rate, 95%."""
        return wilson(self.failed, self.runs)

    @property
    def kind(self) -> Literal["by chance", "by seed"]:
        """By seed if each seed always ended in the same way: then a failing seed repeats the failure."""
        return "by chance" if any(mix.passed and mix.failed for mix in self.by_seed) else "by seed"


@dataclass
class _Group:
    """The runs of a drill at one commit."""

    runs: list[tuple[str, RunOutcome]]
    """Each with its night's name."""
    unknown: int = 0


def flaky_drills(nights: Sequence[Night]) -> tuple[Flaky, ...]:
    """The drills with a mix of runs, of the last 30 nights; the one that fails most often first.

    `nights` are all nights, the earliest first. Nights without a commit are left out: what they ran may have been changed.
    """
    groups: dict[tuple[str, str, str], _Group] = {}
    for night in nights[-WINDOW_NIGHTS:]:
        if not night.commit:
            continue
        for run in night.runs:
            group = groups.setdefault((run.drill, run.definition, night.commit), _Group(runs=[]))
            if run.verdict == "unknown":
                group.unknown += 1
            else:
                group.runs.append((night.name, run))
    found = [_flaky(drill, commit, group) for (drill, _, commit), group in groups.items()]
    return tuple(sorted((one for one in found if one is not None), key=lambda one: (-one.rate, one.drill)))


def _flaky(drill: str, commit: str, group: _Group) -> Flaky | None:
    failed = [(night, run) for night, run in group.runs if not run.as_expected]
    if not 0 < len(failed) < len(group.runs):
        return None
    by_seed = []
    for seed in sorted({run.seed for _, run in group.runs}):
        ended = [run.as_expected for _, run in group.runs if run.seed == seed]
        by_seed.append(SeedMix(seed=seed, passed=ended.count(True), failed=ended.count(False)))
    return Flaky(
        drill=drill,
        commit=commit,
        runs=len(group.runs),
        failed=len(failed),
        unknown=group.unknown,
        by_seed=tuple(by_seed),
        first_night=failed[0][0],
        last_night=failed[-1][0],
        example=failed[-1][1],
    )
