"""A simulated run on disk: a folder as that of any other run, with what the seed added beside it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec

from harness.run import schedule_file
from harness.run.catalog import NamedDrill
from harness.run.judging import conclude
from harness.run.schedule_file import SCHEDULE
from harness.run.spec import RunSpec
from harness.simulation.seed_run import Judged
from results.record.result import Result
from results.record.store import new_run_dir, save

SWARM: Final = "swarm.json"
"""What the seed added to the drill."""


def keep(named: NamedDrill, judged: Judged, runs: Path, again: str) -> tuple[Path, Result]:
    """Write a run's folder; returns it, and the result. `again` is the command that repeats it."""
    started, outcome = datetime.now(UTC), judged.outcome
    run_dir = new_run_dir(runs, named.name, outcome.seed, started)
    (run_dir / SCHEDULE).write_bytes(schedule_file.encode(judged.windows, named.name, outcome.seed))
    (run_dir / SWARM).write_bytes(msgspec.json.format(msgspec.json.encode(judged.swarm), indent=2) + b"\n")
    for name, host in judged.recorded.cluster.hosts.items():
        if host.log:
            (run_dir / "nodes" / f"{name}.log").write_text("\n".join(host.log) + "\n")
    spec = RunSpec(
        name=named.name, title=named.title, drill=judged.drill, seed=outcome.seed, windows=judged.windows, invocation=None
    )
    history = judged.recorded.history
    concluded = conclude(spec, history, started, outcome.simulated_s)
    result = msgspec.structs.replace(
        concluded,
        verdict=outcome.verdict,
        checks=judged.checks,
        slos=judged.slos,
        rerun=again,
        fault_plane="simulated",
    )
    save(run_dir, result, history)
    return run_dir, result
