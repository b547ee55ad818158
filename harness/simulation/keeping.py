"""A simulated run on disk: a folder like that of any other run, and what the seed added."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec

from harness.model.errors import UsageError
from harness.run import schedule_file
from harness.run.catalog import NamedDrill
from harness.run.judging import conclude
from harness.run.schedule_file import SCHEDULE
from harness.run.spec import RunSpec
from harness.simulation.code_version import CodeVersion
from harness.simulation.seed_run import Judged
from harness.simulation.swarm import Swarm
from results.record.result import SIMULATED, Result
from results.record.store import new_run_dir, save

SWARM: Final = "swarm.json"
"""What the seed added to the drill."""


class KeptSwarm(Swarm, frozen=True, kw_only=True):
    """What a seed added, as stored."""

    code: CodeVersion | None = None
    """The code that ran the seed; None in a file written by hand."""


def keep(named: NamedDrill, judged: Judged, runs: Path, again: Sequence[str], *, as_drawn: bool) -> tuple[Path, Result]:
    """Write a run's folder; returns it, and the result.

    `again` is the command that repeats its seed; `as_drawn` says whether the swarm is the one that the seed draws.
    """
    started, outcome = datetime.now(UTC), judged.outcome
    run_dir = new_run_dir(runs, named.name, outcome.seed, started)
    kept = KeptSwarm(**(msgspec.structs.asdict(judged.swarm) | {"code": CodeVersion.of(named.drill)}))
    (run_dir / SCHEDULE).write_bytes(schedule_file.encode(judged.windows, named.name, outcome.seed))
    (run_dir / SWARM).write_bytes(msgspec.json.format(msgspec.json.encode(kept), indent=2) + b"\n")
    for name, host in judged.recorded.cluster.hosts.items():
        if host.log:
            (run_dir / "nodes" / f"{name}.log").write_text("\n".join(host.log) + "\n", encoding="utf-8")
    spec = RunSpec(
        name=named.name, title=named.title, drill=judged.drill, seed=outcome.seed, windows=judged.windows, invocation=None
    )
    history = judged.recorded.history
    concluded = conclude(spec, history, started, outcome.simulated_s)
    result = msgspec.structs.replace(
        concluded,
        verdict=outcome.verdict,
        # More than the drill expects has failed: that is no longer a known weakness.
        expected=concluded.expected if set(outcome.found) <= {concluded.caught_by} else "pass",
        checks=judged.checks,
        slos=judged.slos,
        rerun=shlex.join(again if as_drawn else [*again, "--swarm", str(run_dir / SWARM)]),
        fault_plane=SIMULATED,
    )
    save(run_dir, result, history)
    return run_dir, result


def read_swarm(file: Path) -> KeptSwarm:
    """What a seed added, from the file of a run. Raises `UsageError` if it is unreadable, or from an incompatible version."""
    try:
        return msgspec.json.decode(file.read_bytes(), type=KeptSwarm)
    except OSError as error:
        raise UsageError(f"Cannot read {file}: {error.strerror}.") from error
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise UsageError(f"{file} is not what a seed added, as this version knows it: {error}.") from error
