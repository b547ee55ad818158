"""Run drills on simulated machines: a hundred schedules a minute, each repeated exactly by its seed."""

from __future__ import annotations

import argparse
import os
import shlex
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
from rich.console import Console

from harness.cli.console import new_console
from harness.cli.load_options import above, whole
from harness.cli.run_options import add_settings
from harness.cli.running import INTERRUPTED
from harness.cli.seeds import Tally, count_seeds, fresh_seeds, new_seed, replay, simulatable, tasks
from harness.cli.written import STDOUT, check_writable, put
from harness.cluster.cluster import prepare
from harness.cluster.interrupts import run_to_its_end
from harness.model.errors import OF_ONE_RUN, HarnessError, UsageError
from harness.model.verdict import EXIT_CODES, RunVerdict, gravest
from harness.run.catalog import NamedDrill
from harness.simulation.code_version import CodeVersion
from harness.simulation.keeping import read_swarm
from harness.simulation.seed_run import Outcome
from harness.simulation.shrinking import shrink
from harness.simulation.swarm import Swarm
from harness.simulation.sweep import twice
from harness.simulation.worker import Task
from harness.simulation.world import SimulationError
from results.report.sequence_page import SEQUENCE
from results.report.terminal import print_result
from results.report.terminal_text import print_to_copy

_SEEDS = 100


def add_options(parser: argparse.ArgumentParser) -> None:
    """Which drills, and how many seeds."""
    parser.add_argument("names", nargs="+", metavar="DRILL", help="a drill's name, such as quorum/isolated, or its file")
    many = parser.add_mutually_exclusive_group()
    many.add_argument("--seeds", type=whole, metavar="N", help=f"run seeds 1 to N of each drill (default: {_SEEDS})")
    many.add_argument("--minutes", type=above, metavar="M", help="run new seeds for M minutes")
    many.add_argument("--seed", type=int, metavar="S", help="repeat this seed exactly, keep it as a run and show it")
    parser.add_argument("--swarm", type=Path, metavar="FILE", help="with --seed: what the seed adds, from a run's swarm.json")
    parser.add_argument(
        "--shrink",
        dest="shrink_s",
        type=float,
        default=60.0,
        metavar="S",
        help="shrink a failing seed for up to S seconds (default: 60)",
    )
    parser.add_argument("--jobs", type=whole, metavar="K", help="number of processes (default: one for each CPU)")
    parser.add_argument("--go-on", action="store_true", help="go on after the first seed of a drill that fails")
    parser.add_argument("--twice", action="store_true", help="run each seed twice and compare everything that happened")
    add_settings(parser)
    parser.add_argument(
        "--json", dest="json_file", type=Path, metavar="FILE", help="write the results as JSON; - is standard output"
    )
    parser.add_argument("--runs", type=Path, default=Path("runs"), metavar="DIR", help="where runs are kept (default: runs)")


def execute(arguments: argparse.Namespace) -> int:
    """Simulate; the exit code is that of the gravest verdict of any seed. Ctrl-C keeps the counts so far."""
    if arguments.swarm is not None and arguments.seed is None:
        raise UsageError("--swarm belongs to one seed. Name the seed: --seed S.")
    if arguments.seed is not None and arguments.twice:
        raise UsageError("--twice does not apply to --seed, which runs it once and keeps it. Ask for --seeds N instead.")
    if arguments.seed is not None and arguments.json_file is not None:
        raise UsageError("--json does not apply to --seed: the run's folder has its result.json. Leave it out.")
    drills = [simulatable(name, arguments.settings) for name in arguments.names]
    if arguments.json_file is not None:
        check_writable(arguments.json_file)
    console = new_console(stderr=arguments.json_file == STDOUT)
    for named in drills:
        prepare(named.drill.system)
    if arguments.seed is not None:
        return EXIT_CODES[gravest([_replay(named, arguments.seed, arguments, console) for named in drills])]
    summaries, interrupted = [], False
    for named in drills:
        begun_s, tally = time.monotonic(), Tally(named=named, go_on=arguments.go_on)
        try:
            _sweep(tally, arguments, len(drills))
        except KeyboardInterrupt:
            interrupted = True
        summaries.append(tally.summary())
        if interrupted:
            console.print(_interrupted(tally, arguments.settings), markup=False, soft_wrap=True, highlight=False)
            break
        _print(tally, time.monotonic() - begun_s, arguments, console)
    if arguments.json_file is not None:
        put(msgspec.json.format(msgspec.json.encode(summaries), indent=2) + b"\n", arguments.json_file)
    return INTERRUPTED if interrupted else EXIT_CODES[gravest(one.verdict for one in summaries)]


def _sweep(tally: Tally, arguments: argparse.Namespace, drills: int) -> None:
    seeds = _seeds(arguments, drills)
    if arguments.twice:
        run_to_its_end(_compare(tasks(tally.named, seeds, arguments.settings), tally))
    else:
        count_seeds(tally, seeds, arguments.settings, arguments.jobs or len(os.sched_getaffinity(0)))


async def _compare(all_tasks: Iterator[Task], tally: Tally) -> None:
    for task in all_tasks:
        reply, difference = await twice(task)
        if difference is not None:
            raise HarnessError(f"Seed {task.seed} of {task.drill} is not one run: {difference}")
        tally.add(task, reply)


def _seeds(arguments: argparse.Namespace, drills: int) -> Iterator[int]:
    if arguments.minutes is None:
        return iter(range(1, (arguments.seeds or _SEEDS) + 1))
    return fresh_seeds(arguments.minutes / drills, new_seed())


def _interrupted(tally: Tally, settings: Sequence[str]) -> str:
    """How the seeds ended that were run until Ctrl-C. Nothing is shrunk or shown after it."""
    told = f"? {tally.named.name}: interrupted: {tally.counts}"
    if not tally.wrong:
        return told
    words = ["harness", "simulate", tally.named.again, *(word for setting in settings for word in ("--set", setting))]
    return f"{told}; failed: {', '.join(str(one.seed) for one in tally.wrong[:10])}. Again: {shlex.join(words)} --seed S"


def _print(tally: Tally, wall_s: float, arguments: argparse.Namespace, console: Console) -> None:
    """Print a line for a drill that held; otherwise everything about the first seed that failed."""
    name = tally.named.name
    if not tally.seeds and not tally.broken:
        told = f"? unknown: {name}: no seed was run. Give it more --minutes, or --seeds N."
        console.print(told, style="yellow", markup=False, soft_wrap=True, highlight=False)
        return
    if arguments.twice:
        there = tally.seeds + len(tally.broken)
        console.print(f"✔ {name}: {there} seeds, each twice the same run", markup=False, highlight=False)
        if tally.held + tally.caught == there:
            return
    for line in tally.broken[:3]:
        console.print(f"? unknown: {name}: {line}", style="yellow", markup=False, soft_wrap=True, highlight=False)
    if wrong := tally.wrong:
        others = ", ".join(str(one.seed) for one in wrong[1:11])
        told = f"✘ {name}: {tally.counts}" + (f"; also failed: {others}" if others else "")
        console.print(told, style="red", markup=False, soft_wrap=True, highlight=False)
        _replay(tally.named, wrong[0].seed, arguments, console, _shrunk(tally.named, wrong[0], arguments, console))
        return
    for one in tally.failed[:3]:
        told = f"? unknown: {name}: seed {one.seed}: {one.why}"
        console.print(told, style="yellow", markup=False, soft_wrap=True, highlight=False)
    figures = f"{tally.simulated_s:,.0f} simulated s in {wall_s:.1f} s, {tally.seeds / wall_s * 60:.0f} seeds a minute"
    mark = "?" if tally.unknown else "✔"
    console.print(f"{mark} {name}: {tally.counts}, {figures}", markup=False, soft_wrap=True, highlight=False)


def _shrunk(named: NamedDrill, outcome: Outcome, arguments: argparse.Namespace, console: Console) -> Swarm:
    """The least that the failing seed must add to the drill to fail, as far as the time limit allows."""
    drawn = Swarm.of(named.drill, outcome.seed)
    found = shrink(named.name, named.drill, outcome.seed, drawn, outcome.found, arguments.shrink_s)
    before, after = len(drawn.disturbances), len(found.swarm.disturbances)
    told = f"Shrank seed {outcome.seed} in {found.runs} runs: {after} of {before} disturbances are left"
    console.print(told, markup=False, highlight=False)
    return found.swarm


def _replay(
    named: NamedDrill, seed: int, arguments: argparse.Namespace, console: Console, swarm: Swarm | None = None
) -> RunVerdict:
    """Run a seed with everything recorded, store it like a run, show it, and return its verdict; say why it has none."""
    file = arguments.swarm
    if swarm is None and file is not None:
        swarm = kept = read_swarm(file)
        changed = None if kept.code is None else kept.code.differs_from(CodeVersion.of(named.drill))
        if changed is not None:
            console.print(f"? {file}: {changed}", style="yellow", markup=False, soft_wrap=True, highlight=False)
    try:
        shown = replay(named, seed, arguments.settings, arguments.runs, swarm)
    except (SimulationError, *OF_ONE_RUN) as error:
        told = f"? unknown: {named.name}: seed {seed}: {type(error).__name__}: {error}"
        console.print(told, style="yellow", markup=False, soft_wrap=True, highlight=False)
        return "unknown"
    if shown.swarm.disturbances:
        console.print()
        console.print("Beyond the drill")
        for one in shown.swarm.disturbances:
            console.print(f"  {one}", markup=False, highlight=False)
    print_result(shown.result, console, shown.run_dir, shown.page)
    print_to_copy("Chart", str(shown.run_dir / SEQUENCE), console)
    return shown.result.verdict
