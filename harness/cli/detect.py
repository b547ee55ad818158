"""Measure how often checks catch the known bugs, and how often a correct system raises a false alarm."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from rich.console import Console

from harness.cli.live import Live
from harness.cli.load_options import above, whole
from harness.cli.pace import Pace
from harness.cli.run_options import add_fault_plane
from harness.cli.running import console_for
from harness.cli.written import check_writable, put
from harness.model.errors import UsageError
from harness.run import catalog, provenance
from harness.run.detection import Subject, conditions, run_trial, subjects
from harness.simulation.searching import search
from results.record.detection import Conditions, Detection, Simulated, TrialLog
from results.report.detection_page import write_detection_page
from results.report.detection_terminal import print_detection, print_trial


def add_options(parser: argparse.ArgumentParser) -> None:
    """Which bugs, and how many seeds."""
    parser.add_argument("system", nargs="?", metavar="SYSTEM", help="a system with known bugs, such as quorum; else all")
    parser.add_argument(
        "--seeds", type=_natural, default=1, metavar="N", help="run each with seeds 1 to N (default: 1); 0 runs none"
    )
    parser.add_argument(
        "--simulate", type=above, default=0.0, metavar="S", help="also look for each in simulation, for up to S seconds"
    )
    parser.add_argument(
        "--bug", dest="bugs", action="append", default=[], metavar="NAME", help="only this bug; may be given several times"
    )
    add_fault_plane(parser)
    parser.add_argument(
        "--json", dest="json_file", type=Path, metavar="FILE", help="write the matrix as JSON; - is standard output"
    )
    parser.add_argument("--runs", type=Path, default=Path("runs"), metavar="DIR", help="where runs are kept (default: runs)")


def _natural(text: str) -> int:
    """A whole number, or 0."""
    return 0 if text == "0" else whole(text)


@dataclass(frozen=True, kw_only=True)
class _Matrix:
    """The matrix asked for, and the log of its runs so far."""

    arguments: argparse.Namespace
    rows: Sequence[Subject]
    conditions: Conditions
    log: TrialLog
    simulated: dict[tuple[str, str | None], Simulated] = field(default_factory=dict)
    """What simulation found, by drill and bug."""

    @property
    def cells(self) -> list[tuple[int, Subject]]:
        """Every run asked for: all rows with the first seed, then all with the next."""
        seeds = range(1, self.arguments.seeds + 1)
        return [(seed, row) for seed in seeds for row in self.rows if row.lacks is None]

    def missing(self) -> list[tuple[int, Subject]]:
        """The runs that have not been made."""
        return [(seed, row) for seed, row in self.cells if self.log.find(row.drill, row.bug_name, seed) is None]

    def unknown(self) -> list[tuple[int, Subject]]:
        """The runs that could not be judged."""
        made = [(seed, row, self.log.find(row.drill, row.bug_name, seed)) for seed, row in self.cells]
        return [(seed, row) for seed, row, trial in made if trial is not None and trial.outcome == "unknown"]

    def detection(self) -> Detection:
        """All that has been measured."""
        seeds = range(1, self.arguments.seeds + 1)
        rows = []
        for row in self.rows:
            trials = [self.log.find(row.drill, row.bug_name, seed) for seed in seeds]
            made = row.row([trial for trial in trials if trial is not None])
            rows.append(msgspec.structs.replace(made, simulated=self.simulated.get((row.drill, row.bug_name))))
        return Detection(
            seeds=tuple(seeds),
            rows=tuple(rows),
            runs_left=len(self.missing()),
            commit=provenance.commit(),
            finished_utc=datetime.now(UTC).isoformat(timespec="seconds"),
            conditions=self.conditions,
            again=self._again(),
        )

    def _again(self) -> str:
        asked = self.arguments
        words = ["harness", "detect", *([asked.system] if asked.system else []), "--seeds", str(asked.seeds)]
        words += [word for bug in asked.bugs for word in ("--bug", bug)]
        words += ["--simulate", f"{asked.simulate:g}"] if asked.simulate else []
        words += ["--fault-plane", asked.fault_plane] if asked.fault_plane != "embedded" else []
        words += ["--runs", str(asked.runs)] if asked.runs != Path("runs") else []
        return shlex.join(words)


def execute(arguments: argparse.Namespace) -> int:
    """Make the missing runs, then write the matrix, its page and its JSON.

    1 if a bug was missed or a correct system raised an alarm: this command judges the checks and SLOs, and these were wrong.
    4 if nothing was wrong in the runs that could be judged, but some could not be, or were not made. Else 0.
    """
    if not arguments.seeds and not arguments.simulate:
        raise UsageError("--seeds 0 leaves nothing to run. Add --simulate S, or give at least one seed.")
    console = console_for(arguments)
    rows = subjects(arguments.system, arguments.bugs)
    for name, lacks in {row.drill: row.lacks for row in rows if row.lacks}.items():
        console.print(f"not run: {name}: {lacks}", style="yellow", markup=False, highlight=False, soft_wrap=True)
    if all(row.lacks for row in rows):
        raise UsageError("None of these drills can run on this machine.")
    if arguments.json_file is not None:
        check_writable(arguments.json_file)
    now = conditions(arguments.fault_plane)
    matrix = _Matrix(arguments=arguments, rows=rows, conditions=now, log=TrialLog(arguments.runs, now))
    interrupted = False
    try:
        _run(matrix, console)
        if arguments.simulate:
            _simulate(matrix, console)
    except KeyboardInterrupt:
        interrupted = True
    detection = matrix.detection()
    page = _write(detection, matrix)
    print_detection(detection, console, page)
    return 130 if interrupted else detection.exit_code


def _run(matrix: _Matrix, console: Console) -> None:
    """Make every missing run, and repeat those that could not be judged."""
    missing, unknown, of = matrix.missing(), matrix.unknown(), len(matrix.cells)
    _say_what_there_is(matrix, console, made=of - len(missing), unknown=len(unknown))
    todo = missing + unknown
    load_s = {row.drill: catalog.find_drill(row.drill).drill.load.seconds for row in matrix.rows}
    pace = Pace([load_s[row.drill] for _, row in todo])
    for number, (seed, row) in enumerate(todo, start=of - len(todo) + 1):
        spec = row.spec(seed, matrix.arguments.fault_plane)
        with Live(console, spec, f"[{number}/{of}] {pace.left}") as live:
            trial = run_trial(row, seed, spec, matrix.arguments.runs, live)
        matrix.log.append(trial)
        pace.next_done()
        print_trial(trial, console, place=f"{number}/{of}", left=pace.left if number < of else "")


def _simulate(matrix: _Matrix, console: Console) -> None:
    for row in matrix.rows:
        if row.lacks is None:
            found = search(row.drill, row.bug_name, matrix.arguments.simulate)
            matrix.simulated[row.drill, row.bug_name] = found
            what = f"simulation of {row.drill}, {row.bug_name or 'correct system'}: {found.failed} of {found.seeds} seeds found"
            unknown = f", {found.unknown} unknown" if found.unknown else ""
            console.print(f"{what} something{unknown}, {found.cpu_s:.1f} s", style="dim", highlight=False, soft_wrap=True)


def _say_what_there_is(matrix: _Matrix, console: Console, *, made: int, unknown: int) -> None:
    if made:
        again = f"; {unknown} of them could not be judged and will be repeated" if unknown else ""
        what = f"{made} of {len(matrix.cells)} runs exist already, from the same code on the same machine{again}."
        console.print(what, soft_wrap=True, highlight=False)
    elif others := matrix.log.others():
        what = f"Ignoring {others} matrices from other code or other machines."
        if others == 1:
            what = "Ignoring 1 matrix from other code or another machine."
        console.print(what, soft_wrap=True, highlight=False)


def _write(detection: Detection, matrix: _Matrix) -> Path:
    """Write page and JSON into the folder of the trials, and return the page."""
    text = msgspec.json.format(msgspec.json.encode(detection), indent=2) + b"\n"
    name = "-".join([matrix.arguments.system or "all", *matrix.arguments.bugs]).lower()
    page = matrix.log.folder / f"{name}.html"
    put(text, page.with_suffix(".json"))
    if matrix.arguments.json_file is not None:
        put(text, matrix.arguments.json_file)
    write_detection_page(detection, page)
    return page
