"""Flaky drills: they sometimes pass and sometimes fail, although nothing changed in between."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from results.analysis.proportions import Interval, wilson
from results.trends.nights import Night, RunOutcome, latest_definitions

WINDOW_NIGHTS: Final = 30


@dataclass(frozen=True, kw_only=True)
class SeedMix:
    """How the runs with one seed ended."""

    seed: int
    passed: int
    failed: int


@dataclass(frozen=True, kw_only=True)
class Flaky:
    """A drill whose runs at one commit ended differently. Only runs at commits at which it passed at least once are counted."""

    drill: str
    commits: tuple[str, ...]
    """The commits at which it both passed and failed, the earliest first."""
    runs: int
    """How many runs could be judged."""
    failed: int
    """How many of these did not end as the drill expects."""
    unknown: int
    """How many runs could not be judged; they are not among `runs`."""
    by_seed: tuple[SeedMix, ...]
    kind: Literal["by chance", "by seed", "not known"]
    """By chance if runs with one seed at one commit ended differently. By seed if each failing seed failed every time at the
    same commit, and at least twice. Not known if failing seeds were not run again."""
    last_night: str
    """The last night in which a counted run failed."""
    example: RunOutcome
    """The last counted run that failed."""

    @property
    def rate(self) -> float:
        return self.failed / self.runs

    @property
    def interval(self) -> Interval:
        """The 95% interval of the rate."""
        return wilson(self.failed, self.runs)


_Run = tuple[Night, RunOutcome]
_Code = tuple[str, str]
"""A commit, and the night if there were changes that are not committed."""


def flaky_drills(nights: Sequence[Night]) -> tuple[Flaky, ...]:
    """The drills that both passed and failed at one commit in the last 30 nights; the one that fails most often first.

    `nights` are all nights, the earliest first. Only runs with a drill's latest definition count. Nights without a commit are
    left out: their code may have changed in between. So may changes that are not committed: they count as one night's alone.
    """
    last = nights[-WINDOW_NIGHTS:]
    definitions = latest_definitions(last)
    by_drill: dict[str, list[_Run]] = {}
    for night in last:
        for run in night.runs if night.commit else ():
            if run.definition == definitions.get(run.drill):
                by_drill.setdefault(run.drill, []).append((night, run))
    found = (_flaky(drill, runs) for drill, runs in by_drill.items())
    return tuple(sorted((one for one in found if one is not None), key=lambda one: (-one.rate, one.drill)))


def _code_of(night: Night) -> _Code:
    return night.commit, night.name if night.commit.endswith("+") else ""


def _flaky(drill: str, every: Sequence[_Run]) -> Flaky | None:
    by_commit: dict[_Code, list[_Run]] = {}
    for each in every:
        by_commit.setdefault(_code_of(each[0]), []).append(each)
    judged = {commit: [each for each in runs if each[1].verdict != "unknown"] for commit, runs in by_commit.items()}
    passing = [commit for commit, runs in judged.items() if any(run.as_expected for _, run in runs)]
    mixed = tuple(commit for commit in passing if not all(run.as_expected for _, run in judged[commit]))
    if not mixed:
        return None
    counted = [each for each in every if each[1].verdict != "unknown" and _code_of(each[0]) in passing]
    failed = [each for each in counted if not each[1].as_expected]
    return Flaky(
        drill=drill,
        commits=tuple(dict.fromkeys(commit for commit, _ in mixed)),
        runs=len(counted),
        failed=len(failed),
        unknown=sum(len(by_commit[commit]) - len(judged[commit]) for commit in passing),
        by_seed=_mixes(run for _, run in counted),
        kind=_kind([_mixes(run for _, run in judged[commit]) for commit in mixed]),
        last_night=failed[-1][0].name,
        example=failed[-1][1],
    )


def _kind(commits: Sequence[Sequence[SeedMix]]) -> Literal["by chance", "by seed", "not known"]:
    failing = [mix for mixes in commits for mix in mixes if mix.failed]
    if any(mix.passed for mix in failing):
        return "by chance"
    return "by seed" if all(mix.failed > 1 for mix in failing) else "not known"


def _mixes(runs: Iterable[RunOutcome]) -> tuple[SeedMix, ...]:
    ended: dict[int, list[bool]] = {}
    for run in runs:
        ended.setdefault(run.seed, []).append(run.as_expected)
    return tuple(SeedMix(seed=seed, passed=each.count(True), failed=each.count(False)) for seed, each in sorted(ended.items()))
