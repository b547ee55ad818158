"""What each command does."""

from __future__ import annotations

import argparse
import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
from rich.console import Console

from harness import roots
from harness.cli.live import Live
from harness.cli.shrinking import MINIMAL, Failed, OutOfTime, Shrinking, failures, write
from harness.cluster.fault_plane import install_toxiproxy
from harness.cluster.leftovers import heal
from harness.cluster.requirements import missing_for
from harness.model.errors import FaultError, HarnessError, NodeDown, UsageError
from harness.run import catalog
from harness.run.catalog import Entry, NamedDrill
from harness.run.injector import described
from harness.run.runner import SEED_BITS, CompletedRun, RunSpec, check, run, run_spec_of
from results.record.histories import load_history
from results.record.result import EXIT_CODES, Result, exit_code, suite_exit_code, verdict_of
from results.record.store import latest
from results.report.page import REPORT, write_report
from results.report.terminal import print_checks, print_result, print_suite


def list_command(arguments: argparse.Namespace) -> int:
    """Everything there is, a line each."""
    console = Console()
    for noun, entries in (
        ("drills", catalog.drill_entries()),
        ("systems", catalog.systems()),
        ("faults", catalog.faults()),
        ("workloads", catalog.workloads()),
        ("checkers", catalog.checker_entries()),
    ):
        _print_entries(console, noun, entries)
    return 0


def _print_entries(console: Console, noun: str, entries: Sequence[Entry]) -> None:
    console.print(f"[bold]{noun}[/bold]")
    width = max(len(entry.name) for entry in entries) + 2
    for entry in entries:
        console.print(f"  {entry.name:<{width}}{entry.title}", markup=False, highlight=False, soft_wrap=True)
    console.print()


def run_command(arguments: argparse.Namespace) -> int:
    """The main job: every drill of a suite, then one report. 0 where each ended as its drill expects."""
    console = Console()
    names = catalog.drill_names(arguments.suite) if arguments.suite else list(catalog.drill_files())
    drills = [named for name in names if not (named := catalog.find_drill(name)).drill.nightly or arguments.suite]
    lacking = {named.name: missing for named in drills if (missing := missing_for(named.drill.system, hosts=named.drill.hosts))}
    for name, missing in lacking.items():
        console.print(f"not run: {name}: {missing}", style="yellow", markup=False, highlight=False, soft_wrap=True)
    if len(lacking) == len(drills):
        raise UsageError("None of these drills can run on this machine.")
    finished, broken = _run_all([named for named in drills if named.name not in lacking], (), arguments)
    report = _report([done.run_dir for done in finished], arguments.runs / f"{finished[0].run_dir.name}.html")
    print_suite([done.result for done in finished], console, report)
    return suite_exit_code([done.result for done in finished]) or broken


def drill_command(arguments: argparse.Namespace) -> int:
    """Some drills by name. The exit code is that of the gravest verdict."""
    drills = [catalog.find_drill(name, arguments.settings) for name in arguments.names]
    if arguments.schedule is not None and len(drills) > 1:
        raise UsageError(f"--schedule {arguments.schedule} is for one drill; {len(drills)} are named. Name one.")
    finished, broken = _run_all(drills, arguments.settings, arguments)
    return exit_code([done.result for done in finished]) or broken


def _run_all(
    drills: Sequence[NamedDrill], settings: Sequence[str], arguments: argparse.Namespace
) -> tuple[list[CompletedRun], int]:
    """Run drills one after another; what is finished is reported and written even if another one breaks off.

    Returns the finished runs, and the exit code for those that broke off, 0 where none did.
    """
    seed = secrets.randbits(SEED_BITS) if arguments.seed is None else arguments.seed
    console = Console()
    finished: list[CompletedRun] = []
    if arguments.json_file is not None:
        with _writing(arguments.json_file):
            arguments.json_file.write_bytes(b"")  # better now than after the runs; and nobody takes an old one for new
    broken: list[HarnessError] = []
    for order in [run_spec_of(named, seed, settings, arguments.fault_plane, arguments.schedule) for named in drills]:
        try:
            with Live(console, order) as live:
                done = run(order, runs=arguments.runs, observer=live)
        except (FaultError, NodeDown) as error:  # this one has no verdict; that says nothing about the others
            if len(drills) == 1:
                raise
            broken.append(error)
            console.print(f"? unknown: {order.name}: {error}", style="yellow", markup=False, highlight=False, soft_wrap=True)
            continue
        finished.append(done)
        report = _report([done.run_dir], done.run_dir / REPORT)
        print_result(done.result, console, done.run_dir, report)
        if arguments.json_file is not None:
            _write_json(arguments.json_file, [one.result for one in finished], several=len(drills) > 1)
    if not finished:
        raise broken[0]
    return finished, max((error.exit_code for error in broken), default=0)


def _report(run_dirs: Sequence[Path], out: Path) -> Path:
    with _writing(out):
        write_report(run_dirs, out)
    return out


def _write_json(file: Path, results: Sequence[Result], *, several: bool) -> None:
    value = list(results) if several else results[0]
    with _writing(file):
        file.write_bytes(msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n")


@contextmanager
def _writing(file: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise HarnessError(f"Cannot write {file}: {error.strerror or error}.") from error


def load_command(arguments: argparse.Namespace) -> int:
    """Load on any HTTP server."""
    from harness.cli import load as command

    return command.load_command(arguments)


def ui_command(arguments: argparse.Namespace) -> int:
    """Locust's web UI over a running system."""
    from harness.ui import command as command

    return command.ui_command(arguments)


def check_command(arguments: argparse.Namespace) -> int:
    """Judge a recorded history."""
    history = load_history(arguments.history)
    if arguments.checkers:
        chosen = [catalog.find_checker(name) for name in arguments.checkers]
    else:
        chosen = catalog.checkers_for(history)
    found = check(history, chosen)
    print_checks(found, history, Console())
    return EXIT_CODES[verdict_of(found, ())]


def shrink_command(arguments: argparse.Namespace) -> int:
    """The least of a failing run's schedule that still fails."""
    console = Console(soft_wrap=True, highlight=False, markup=False)
    failed = Failed.of(arguments.run)
    file = arguments.run / MINIMAL
    console.print(f"{failed.order.name}, seed {failed.order.seed}: what is enough for {' or '.join(sorted(failed.how))}?")
    ended = 0
    with TemporaryDirectory() as scratch:
        shrinking = Shrinking(
            failed,
            repeats=arguments.repeats,
            limit_s=arguments.minutes * 60,
            once=lambda order: _shown(order, Path(scratch), console),
        )
        try:
            for best in shrinking.steps():
                with _writing(file):
                    again = write(best, failed, file)
        except OutOfTime:
            console.print(f"The {arguments.minutes:g} minutes are over; more may be left out.")
        except KeyboardInterrupt:
            console.print("Interrupted; more may be left out.")
            ended = 130
    if shrinking.best is None:
        console.print(f"It did not fail like that again in {shrinking.runs} runs. Raise --repeats for what fails seldom.")
        return ended or EXIT_CODES["unknown"]
    count, whole = len(shrinking.best), len(failed.order.windows or ())
    times = f"failed in {shrinking.best_failed} of {shrinking.best_runs} runs of it, {shrinking.runs} runs in all"
    console.print(f"\n{count} of {whole} windows {'is' if count == 1 else 'are'} enough: {times}.")
    for planned in shrinking.best:
        console.print(f"  {described(planned)}")
    console.print(f"\nAgain   {again}")
    return ended


def _shown(order: RunSpec, scratch: Path, console: Console) -> Result:
    """Run a drill that nobody keeps, and say in a line what became of it."""
    labels = " ".join(f"{one.label} ({one.window.from_s:g}–{one.window.to_s:g} s)" for one in order.windows or ()) or "no fault"
    try:
        with Live(console, order) as live:
            result = run(order, runs=scratch, observer=live).result
    except HarnessError as error:
        console.print(f"{labels}: broke off: {error}")
        raise
    finally:
        shutil.rmtree(scratch / order.name, ignore_errors=True)
    console.print(f"{labels}: {': '.join([result.verdict, *sorted(failures(result))])}")
    return result


def heal_command(arguments: argparse.Namespace) -> int:
    """Put right by hand what runs left behind."""
    told = 0
    for told, line in enumerate(heal(), start=1):  # noqa: B007 - how many there were
        print(line, flush=True)
    if not told:
        where = "no process, no control group" + (", no proxy" if os.environ.get("TOXIPROXY_URL") else "")
        print(f"nothing to heal: {where} is left of any run")
    return 0


def report_command(arguments: argparse.Namespace) -> int:
    """One page of runs."""
    run_dirs = arguments.runs or [latest()]
    print(_report(run_dirs, arguments.out))
    return 0


def toxiproxy_command(arguments: argparse.Namespace) -> int:
    """The fault plane by itself."""
    if arguments.action == "install":
        print(install_toxiproxy())
        return 0
    options = ["--host", arguments.host, "--port", str(arguments.port), "--seed", str(arguments.seed)]
    return subprocess.run([*roots.program("faults.plane"), *options], env=roots.environment(), check=False).returncode
