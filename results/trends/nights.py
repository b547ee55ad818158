"""How the runs of each night ended, and what the night ran on: the input of error budgets and of the matrix of nights."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from harness.model.verdict import RunVerdict
from results.analysis.judge import SLOResult


@dataclass(frozen=True, kw_only=True)
class RunOutcome:
    """How one run of a drill ended."""

    drill: str
    definition: str
    """A digest of the drill: an edited drill counts as a different one. Empty for a run that came to no result."""
    seed: int
    verdict: RunVerdict
    as_expected: bool
    """Whether the run ended as its drill expects: a run that fails because it caught a known bug did."""
    why: str
    """What was wrong, or why the run could not be judged; empty for a run that passed."""
    slos: tuple[SLOResult, ...] = ()
    not_counted: str = ""
    """Why its figures do not count when nights are compared, such as a machine that was busy; empty if they do."""
    run_dir: str = ""
    """The folder of the run, which holds its page; empty if it was not kept."""


@dataclass(frozen=True, kw_only=True)
class Night:
    """One night: everything that was recorded together, on one machine and at one commit."""

    name: str
    """As in the history."""
    began_utc: datetime
    """With its time zone, which is UTC."""
    commit: str
    state: Literal["complete", "broke off"]
    why: str = ""
    """Why it broke off, if that is known."""
    facts: tuple[tuple[str, str], ...] = ()
    """What the night ran on, by name: CPU, kernel, Python, each package. Nights whose facts differ are not compared."""
    runs: tuple[RunOutcome, ...] = ()


def latest_definitions(nights: Iterable[Night]) -> dict[str, str]:
    """By drill, its definition in the last of these nights that tells it: a run that came to no result does not."""
    return {run.drill: run.definition for night in nights for run in night.runs if run.definition}


def changed_facts(earlier: Night, later: Night) -> str:
    """How the facts of two nights differ: "Python 3.11.2 → 3.12.1, numpy gone"; empty if they do not."""
    before, after = dict(earlier.facts), dict(later.facts)
    changes = []
    for name in dict.fromkeys((*before, *after)):
        if before.get(name) != after.get(name):
            if name not in after:
                changes.append(f"{name} gone")
            else:
                changes.append(f"{name} {before[name]} → {after[name]}" if name in before else f"{name} {after[name]} is new")
    return ", ".join(changes)
