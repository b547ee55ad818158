"""Put open-loop load on any HTTP/1.1 server, judged by SLOs."""

from __future__ import annotations

import argparse
import dataclasses
import secrets
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import get_args

import msgspec
from rich.console import Console

from harness.cli.console import new_console
from harness.cli.find_max import Found, found, steady, steps
from harness.cli.load_measuring import Measured, measure
from harness.cli.load_options import add_options as add_options
from harness.cli.load_options import command_line
from harness.cli.load_progress import LoadProgress
from harness.cli.running import console_for
from harness.cli.written import check_writable, put, writing
from harness.model.errors import UsageError
from harness.model.load import Load
from harness.model.shapes import Shape
from harness.model.slo import SLO
from harness.model.verdict import EXIT_CODES, RunVerdict
from harness.run import provenance
from harness.run.spec import SEED_BITS
from results.analysis.judge import undecidable
from results.analysis.load_judge import judged, metrics_of, percentile_ms, verdict_of
from results.analysis.sample_sizes import samples_needed
from results.record.load_result import LOAD_RESULT, LoadResult, LoadStep, StepOutcome, encode
from results.record.store import new_run_dir
from results.report.load_page import write_load_report
from results.report.load_terminal import print_load, step_line
from results.report.page import REPORT
from workloads.load.arrivals import expected
from workloads.load.engine import EngineTask, Exchange, Snapshot
from workloads.load.fits import check_engine
from workloads.load.target import bodies_of, expected_of, request_bytes, target_of

_INTERRUPTED = 130


def execute(arguments: argparse.Namespace) -> int:
    """Make the load, then print and write the result. Ctrl-C ends it with what was measured so far."""
    slos = [SLO.parse(text) for text in arguments.slos]
    if any(slo.metric in ("recovery", "convergence") for slo in slos):
        raise UsageError("--slo recovery, convergence: a load has no faults to recover from. Use a drill.")
    if any(slo.of_steps for slo in slos):
        raise UsageError("--slo of steps (goodput, stall, …): a load has no training steps. Use a drill.")
    if any(slo.of_reads for slo in slos):
        raise UsageError("--slo staleness, versions_behind: a load has no reads and writes of registers. Use a drill.")
    if arguments.find_max and (not slos or arguments.shape):
        raise UsageError("--find-max needs at least one --slo, such as --slo 'p99 < 100ms', and no --shape.")
    if arguments.find_max and any(slo.metric in ("rate", "requests") for slo in slos):
        raise UsageError("--slo rate, requests: a search asks for low rates, too, which no server can raise. Leave them out.")
    task = _task(arguments)
    check_engine(task, arguments.processes)
    started = datetime.now(UTC)
    if arguments.json_file is not None:
        check_writable(arguments.json_file)
    run_dir = new_run_dir(arguments.runs, f"load/{task.address[0]}-{task.address[1]}", task.seed, started)
    console, said = console_for(arguments), new_console(stderr=True)
    tried: list[LoadStep] = []
    with LoadProgress(console) as progress:
        if arguments.find_max:
            measured = _find_max(task, slos, arguments.processes, tried, progress, console)
        else:
            for line in undecidable(slos, expected(task.load), task.load.seconds, faults=False):
                said.print(f"? {line}", style="yellow", markup=False, soft_wrap=True)
            progress.begin(task.load.rate, task.load.seconds)
            measured = measure(task, arguments.processes, progress.show)
    if measured is None:
        return _INTERRUPTED
    result = _result(task, measured, slos, arguments, tried, started)
    report = run_dir / REPORT
    with writing(run_dir):
        with suppress(OSError):  # an empty folder does no harm
            (run_dir / "nodes").rmdir()  # a load has no nodes
        (run_dir / LOAD_RESULT).write_bytes(encode(result))
    if arguments.json_file is not None:
        put(encode(result), arguments.json_file)
    print_load(result, console, report)
    write_load_report(result, report)  # last: it takes a second, and the result should not wait
    return _INTERRUPTED if measured.interrupted else EXIT_CODES[result.verdict]


def _task(arguments: argparse.Namespace) -> EngineTask:
    target = target_of(arguments.url, allow_remote=arguments.allow_remote)
    bodies = bodies_of(arguments.body, arguments.body_file, arguments.bodies)
    method = arguments.method or ("GET" if bodies == [None] else "POST")
    expected = expected_of(arguments.expect, arguments.expects, len(bodies))
    load = Load(
        rate=arguments.rate,
        seconds=arguments.seconds,
        clients=arguments.connections,
        arrivals=arguments.arrivals,
        shape=_shape(arguments.shape),
        timeout_ms=arguments.timeout_ms,
    )
    return EngineTask(
        address=target.address,
        exchanges=[
            Exchange(request_bytes(target, method, arguments.headers, body), right)
            for body, right in zip(bodies, expected, strict=True)
        ],
        load=load,
        depth=arguments.depth,
        seed=secrets.randbits(SEED_BITS) if arguments.seed is None else arguments.seed,
        warm_up_s=arguments.warm_up,
    )


def _shape(text: str | None) -> Shape | None:
    try:
        return None if text is None else msgspec.json.decode(text, type=Shape)
    except msgspec.DecodeError as error:
        types = ", ".join(kind.__name__ for kind in get_args(Shape))
        raise UsageError(
            f'--shape {text}: {error}. The types are {types}. For example {{"type":"Ramp","start":0,"end":2}}.'
        ) from error


def _find_max(
    task: EngineTask,
    slos: Sequence[SLO],
    processes: int,
    tried: list[LoadStep],
    progress: LoadProgress,
    console: Console,
) -> Measured | None:
    """The measurement of the best step, or of the last one if none held; appends each step to `tried`."""
    held: dict[float, Measured] = {}
    last: Measured | None = None
    needed = max((samples_needed(slo.percentile) for slo in slos if slo.percentile is not None), default=1)

    def probe(rate: float) -> LoadStep:
        nonlocal last
        seconds = max(task.load.seconds, 1.2 * needed / rate)
        faster = msgspec.structs.replace(task, load=dataclasses.replace(task.load, rate=rate, seconds=seconds))
        check_engine(faster, processes)
        progress.begin(rate, seconds)
        last = measure(faster, processes, progress.show)
        if last.interrupted:
            raise KeyboardInterrupt
        step = _step(rate, last, slos)
        if step.outcome == "held":
            held[rate] = last
        return step

    def best() -> Measured | None:
        """A rate may have held once and missed twice, so the last measurement that held is not always that of the result."""
        return held.get(found(tried).rate_per_s or 0.0)

    try:
        for step in steps(probe, task.load.rate):
            tried.append(step)
            console.print(step_line(step), soft_wrap=True)
            if not held and not step.availability:
                break  # nothing works: the rate is not the problem
    except KeyboardInterrupt:
        kept = best() or last
        return None if kept is None else dataclasses.replace(kept, interrupted=True)
    return best() or last


def _step(rate: float, measured: Measured, slos: Sequence[SLO]) -> LoadStep:
    counted = measured.whole
    verdict, why = verdict_of(counted, [judged(slo, counted) for slo in slos])
    outcome: StepOutcome = "missed" if verdict in ("slo", "fail") else "unclear" if verdict == "unknown" else "held"
    if counted.late:
        outcome = "generator"
    elif outcome == "held" and not steady(measured.half, counted.since(measured.half)):
        outcome, why = "unsteady", "the queue kept growing"
    metrics = metrics_of(counted)
    return LoadStep(
        rate_per_s=rate,
        outcome=outcome,
        why=why,
        done_per_s=metrics.rate_per_s,
        p50_ms=metrics.p50_ms,
        p99_ms=metrics.p99_ms,
        service_p99_ms=percentile_ms(counted.service, 99) if counted.ok else None,
        availability=metrics.availability,
        busy_share=_share_of(counted.busy_s, counted),
        wrong=counted.wrong,
    )


def _share_of(seconds: float, counted: Snapshot) -> float:
    return min(seconds / counted.seconds, 1.0) if counted.seconds else 0.0


def _searched(search: Found, tried: Sequence[LoadStep], verdict: RunVerdict, why: str) -> tuple[RunVerdict, str]:
    """The verdict of a search, from that of its best rate. Wrong answers at any rate are a failure."""
    wrong = next((step for step in tried if step.wrong), None)
    if wrong is not None and verdict != "fail":
        return "fail", f"{wrong.wrong:,} answers were not as expected at {wrong.rate_per_s:,.0f}/s. {search.why}"
    if verdict == "pass":
        return "unknown" if search.rate_per_s is None else "pass", search.why
    return verdict, search.why if why in search.why else f"{search.why}. {why}"


def _result(
    task: EngineTask,
    measured: Measured,
    slos: Sequence[SLO],
    arguments: argparse.Namespace,
    tried: Sequence[LoadStep],
    started: datetime,
) -> LoadResult:
    counted = measured.whole
    outcomes = tuple(judged(slo, counted) for slo in slos)
    verdict, why = verdict_of(counted, outcomes)
    search = found(tried) if tried else None
    if search is not None:
        verdict, why = _searched(search, tried, verdict, why)
    if measured.interrupted and verdict != "fail":
        verdict, why = "unknown", "interrupted; these are the figures so far"
    best = None if search is None else search.rate_per_s
    return LoadResult(
        url=arguments.url,
        verdict=verdict,
        why=why,
        asked_per_s=tried[-1].rate_per_s if best is None and tried else best or task.load.rate,
        arrivals=task.load.arrivals,
        seconds=counted.seconds,
        connections=task.load.clients,
        depth=task.depth,
        processes=arguments.processes,
        seed=task.seed,
        slos=outcomes,
        metrics=metrics_of(counted),
        service_p50_ms=percentile_ms(counted.service, 50) if counted.ok else None,
        service_p99_ms=percentile_ms(counted.service, 99) if counted.ok else None,
        send_lag_p99_ms=percentile_ms(counted.send_lag, 99),
        read_lag_p99_ms=percentile_ms(counted.read_lag, 99),
        failed=counted.failed,
        wrong=counted.wrong,
        unknown=counted.unknown,
        failures=counted.failures,
        cpu_s=counted.cpu_s,
        busy_share=_share_of(counted.busy_s, counted),
        blocked_share=_share_of(counted.blocked_s, counted),
        latency_histogram=counted.latency.encode(),
        service_histogram=counted.service.encode(),
        series=measured.series,
        rerun=command_line(arguments, task.seed),
        started_utc=started.isoformat(timespec="seconds"),
        machine=provenance.machine(),
        versions=provenance.versions(),
        commit=provenance.commit(),
        max_rate_per_s=best,
        limit=None if search is None else search.limit,
        steps=tuple(tried),
    )
