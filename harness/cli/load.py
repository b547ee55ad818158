"""Put open-loop load on any HTTP/1.1 server, judged by SLOs."""

from __future__ import annotations

import argparse
import dataclasses
import secrets
import time

import msgspec
from rich.console import Console

from harness.cli.find_max import Outcome, Step, steady, steps
from harness.cli.load_options import add_options as add_options
from harness.model.errors import HarnessError, UsageError
from harness.model.load import Load
from harness.model.shapes import Shape
from harness.model.slo import SLO
from harness.model.verdict import EXIT_CODES
from harness.run.spec import SEED_BITS
from results.analysis.sample_sizes import samples_needed
from results.record.load_result import LoadResult, judged, metrics_of, percentile_ms, verdict_of
from results.report.load_terminal import print_load
from workloads.load.engine import Engine, EngineTask, Exchange, Snapshot
from workloads.load.target import bodies_of, request_bytes, target_of

_INTERRUPTED = 130
_POLL_S = 0.1


def execute(arguments: argparse.Namespace) -> int:
    """Make the load, print and write what it came to. Ctrl-C ends it with what was measured so far."""
    slos = [SLO.parse(text) for text in arguments.slos]
    if any(slo.metric == "recovery" for slo in slos):
        raise UsageError("--slo recovery: there are no faults here to recover from. Use a drill.")
    if arguments.find_max and (not slos or arguments.shape):
        raise UsageError("--find-max needs at least one --slo, such as --slo 'p99 < 100ms', and no --shape.")
    task = _task(arguments)
    console = Console()
    found: list[Step] = []
    if arguments.find_max:
        counted, interrupted = _find_max(task, slos, arguments.processes, found, console)
    else:
        counted, _, interrupted = _measure(task, arguments.processes)
    if counted is None:
        return _INTERRUPTED
    result = _result(task, counted, slos, arguments, found)
    if interrupted and result.verdict != "fail":
        result = msgspec.structs.replace(result, verdict="unknown", why="interrupted; this is what was measured until then")
    print_load(result, console)
    if arguments.json_file is not None:
        try:
            arguments.json_file.write_bytes(msgspec.json.format(msgspec.json.encode(result), indent=2) + b"\n")
        except OSError as error:
            raise HarnessError(f"Cannot write {arguments.json_file}: {error.strerror}.") from error
    return _INTERRUPTED if interrupted else EXIT_CODES[result.verdict]


def _task(arguments: argparse.Namespace) -> EngineTask:
    target = target_of(arguments.url, allow_remote=arguments.allow_remote)
    bodies = bodies_of(arguments.body, arguments.body_file, arguments.bodies)
    method = arguments.method or ("GET" if bodies == [None] else "POST")
    expected = () if arguments.expect is None else (arguments.expect.encode(),)
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
        exchanges=[Exchange(request_bytes(target, method, arguments.headers, body), expected) for body in bodies],
        load=load,
        depth=arguments.depth,
        seed=secrets.randbits(SEED_BITS) if arguments.seed is None else arguments.seed,
        warm_up_s=arguments.warm_up,
    )


def _shape(text: str | None) -> Shape | None:
    try:
        return None if text is None else msgspec.json.decode(text, type=Shape)
    except msgspec.DecodeError as error:
        raise UsageError(f'--shape {text}: {error}. Such as {{"type":"Ramp","start":0,"end":2}}.') from error


def _measure(task: EngineTask, processes: int) -> tuple[Snapshot, Snapshot, bool]:
    """The whole load, its state at half time, and whether Ctrl-C ended it."""
    with Engine(task, processes=processes) as engine:
        half, interrupted = engine.snapshot(), False
        try:
            engine.start()
            half_s = time.monotonic() + task.warm_up_s + task.load.seconds / 2
            while (now_s := time.monotonic()) < half_s:
                time.sleep(min(_POLL_S, half_s - now_s))
            half = engine.snapshot()
            whole = engine.wait()
        except KeyboardInterrupt:
            whole, interrupted = engine.snapshot(), True
        return whole, half, interrupted


def _find_max(
    task: EngineTask, slos: list[SLO], processes: int, found: list[Step], console: Console
) -> tuple[Snapshot | None, bool]:
    """The measurement of the best step, or of the last one where none held; each step goes into `found`."""
    best: Snapshot | None = None
    last: Snapshot | None = None
    needed = max((samples_needed(slo.percentile) for slo in slos if slo.percentile is not None), default=1)

    def probe(rate: float) -> Outcome:
        nonlocal best, last
        seconds = max(task.load.seconds, 1.2 * needed / rate)
        load = msgspec.structs.replace(task, load=dataclasses.replace(task.load, rate=rate, seconds=seconds))
        last, half, interrupted = _measure(load, processes)
        if interrupted:
            raise KeyboardInterrupt
        verdicts = [judged(slo, last).ok for slo in slos]
        if last.late:
            return "generator"
        if False in verdicts:
            return "missed"
        if None in verdicts:
            return "unclear"
        if not steady(half, last.since(half)):
            return "unsteady"
        best = last
        return "held"

    try:
        for step in steps(probe, task.load.rate):
            found.append(step)
            console.print(f"{step.rate_per_s:12,.0f}/s  {step.outcome}", highlight=False)
    except KeyboardInterrupt:
        return best or last, True
    return best or last, False


def _result(
    task: EngineTask, counted: Snapshot, slos: list[SLO], arguments: argparse.Namespace, found: list[Step]
) -> LoadResult:
    outcomes = tuple(judged(slo, counted) for slo in slos)
    verdict, why = verdict_of(counted, outcomes)
    best = max((step.rate_per_s for step in found if step.outcome == "held"), default=None)
    if best is not None:
        above = min((step for step in found if step.rate_per_s > best), key=lambda step: step.rate_per_s, default=None)
        limit = "" if above is None else f"; {above.rate_per_s:,.0f}/s: {above.outcome}"
        if above is not None and above.outcome == "generator":
            limit += ", so the generator was the limit and not the server: raise --processes"
        why = f"{best:,.0f}/s held{limit}"
    return LoadResult(
        url=arguments.url,
        verdict=verdict,
        why=why,
        asked_per_s=task.load.rate if best is None else best,
        arrivals=task.load.arrivals,
        seconds=counted.seconds,
        connections=task.load.clients,
        depth=task.depth,
        processes=arguments.processes,
        seed=task.seed,
        slos=outcomes,
        metrics=metrics_of(counted),
        service_p50_ms=percentile_ms(counted.service, 50),
        service_p99_ms=percentile_ms(counted.service, 99),
        send_lag_p99_ms=percentile_ms(counted.send_lag, 99),
        failed=counted.failed,
        wrong=counted.wrong,
        unknown=counted.unknown,
        errors=counted.errors,
        cpu_s=counted.cpu_s,
        latency_histogram=counted.latency.encode(),
        service_histogram=counted.service.encode(),
        max_rate_per_s=best,
        steps=tuple(f"{step.rate_per_s:g}/s {step.outcome}" for step in found),
    )
