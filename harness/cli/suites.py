"""The drills of a suite that this machine can run."""

from __future__ import annotations

from rich.console import Console

from harness.cluster.requirements import missing_for
from harness.model.errors import UsageError
from harness.run import catalog
from harness.run.catalog import NamedDrill
from results.record.suite import Unfinished


def runnable(suite: str | None, console: Console, *, nightly: bool) -> tuple[list[NamedDrill], list[Unfinished]]:
    """The drills of a suite, or of all suites, that can run here, and those that cannot, for which it prints the reasons.

    `nightly`: without a suite, include drills that take minutes. Raises `UsageError` if none can run here.
    """
    names = list(catalog.drill_files()) if suite is None else catalog.drill_names(suite)
    drills = [named for name in names if not (named := catalog.find_drill(name)).drill.nightly or suite or nightly]
    lacking = [
        Unfinished(drill=named.name, why=missing)
        for named in drills
        if (missing := missing_for(named.drill.system, namespaces=named.drill.namespaces))
    ]
    for one in lacking:
        console.print(f"not run: {one.drill}: {one.why}", style="yellow", markup=False, soft_wrap=True)
    skipped = {one.drill for one in lacking}
    if len(skipped) == len(drills):
        raise UsageError("None of these drills can run on this machine.")
    return [named for named in drills if named.name not in skipped], lacking
