"""Judge a run of a training script from its record."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec

from harness.model.fault_window import FaultWindow
from harness.model.slo import SLO
from harness.run import provenance
from harness.run.script_spec import LIMIT_S, ORPHANS_S, STALL_S, START_S, ScriptRecord, ScriptSpec
from results.analysis.goodput import Phases, measure, phases, step_times_ms
from results.analysis.judge import SLOResult
from results.analysis.lineage import Placed, ever_agree, first_difference, place, stepping
from results.analysis.recovery import Recovery
from results.record.result import CheckResult, verdict_of
from results.record.train_result import LinkResult, TrainResult, judged
from torch_drills.host import LAUNCHER
from torch_drills.links import STORE

_ABORTED_AT_EXIT: Final = (
    "a thread of gloo outlived Python, and torch aborted the rank. DDP is a reference cycle that holds the process group: "
    "drop the model and call gc.collect() before destroy_process_group()"
)


def conclude(spec: ScriptSpec, record: ScriptRecord, started: datetime, duration_s: float) -> TrainResult:
    """The result of a run that began at `started`."""
    placed = place(record.processes)
    injected = [one for one in record.windows if one.injected_s is not None]
    links = tuple(
        LinkResult(
            link=name,
            connections=None if spec.namespaces else counters.connections,
            received_bytes=sum(counters.received_bytes.values()),
            sent_bytes=sum(counters.sent_bytes.values()),
        )
        for name, counters in record.links.items()
    )
    metrics = measure(
        placed,
        record.ranks,
        first_fault_ns=min((_injected_ns(record, one) for one in injected), default=None),
        started_ns=record.started_ns,
        ended_ns=record.ended_ns,
        finished=record.exit_code == 0,
        sent_bytes=_sent_bytes(spec, record, links),
    )
    found = tuple(_phases(record, placed, one, injected) for one in injected)
    recoveries = tuple(map(_recovery, found, _watched_s(record, injected)))
    steps_ms = step_times_ms(placed, record.ranks)
    slos = tuple(judged(SLO.parse_training(text), metrics, recoveries, steps_ms) for text in spec.slos)
    checks = _checks(record, placed)
    verdict = verdict_of(checks, slos)
    return TrainResult(
        command=shlex.join(spec.command),
        seed=spec.seed,
        verdict=verdict,
        why=_why(checks, slos),
        ranks=record.ranks,
        exit_code=record.exit_code,
        checks=checks,
        slos=slos,
        metrics=metrics,
        faults=tuple(_as_it_was(one) for one in record.windows),
        recoveries=recoveries,
        phases=found,
        links=links,
        rerun=rerun(spec),
        started_utc=started.isoformat(timespec="seconds"),
        duration_s=round(duration_s, 3),
        machine=provenance.machine(),
        versions=provenance.versions(),
        commit=provenance.commit(),
        fault_plane="none: each rank is in a network namespace" if spec.namespaces else spec.plane,
    )


def rerun(spec: ScriptSpec) -> str:
    """The command line that repeats the run."""
    words = ["harness", "train", "--seed", str(spec.seed)]
    words += [word for text in spec.fault_texts for word in ("--fault", text)]
    words += [word for text in spec.slos for word in ("--slo", text)]
    times = (("--start-timeout", spec.start_s, START_S), ("--stall", spec.stall_s, STALL_S), ("--limit", spec.limit_s, LIMIT_S))
    words += [word for name, asked, usual in times if asked != usual for word in (name, f"{asked:g}")]
    words += ["--fault-plane", spec.plane] if spec.plane != "embedded" else []
    words += ["--namespaces"] if spec.namespaces else []
    return shlex.join([*words, "--", *spec.command])


def _sent_bytes(spec: ScriptSpec, record: ScriptRecord, links: Sequence[LinkResult]) -> int | None:
    """What the ranks sent each other; None if it was not counted, since it did not all cross the fault plane or the router."""
    between = [one.sent_bytes for one in links if not {STORE, LAUNCHER} & set(one.link.split(">"))]
    unseen = any(one.not_led or (one.backend and "gloo" not in one.backend) for one in record.processes)
    return sum(between) if between and (spec.namespaces or not unseen) else None


def _checks(record: ScriptRecord, placed: Sequence[Placed]) -> tuple[CheckResult, ...]:
    found = (
        _finished(record),
        _no_orphans(record),
        _replicas_agree(record, placed),
        _steps_known(record, placed),
        _faults_acted(record),
    )
    return tuple(one for one in found if one is not None)


def _finished(record: ScriptRecord) -> CheckResult:
    valid: bool | None
    match record.ended:
        case "stalled":
            valid, why = False, "no rank made any more steps and the command did not end, so the harness ended it"
        case "held up":
            valid = None
            why = "no rank made any more steps while a fault held, so the harness ended it. Shorten the fault, or raise --stall"
        case "too long":
            valid, why = None, "it did not end in time, so the harness ended it. Raise --limit"
        case _ if record.exit_code == 0:
            valid, why = True, "the command ended with exit code 0"
        case _:
            cause = _ABORTED_AT_EXIT if record.aborted_at_exit else record.cause
            valid, why = False, f"the command ended with exit code {record.exit_code}; {cause}"
    return CheckResult(name="finished", valid=valid, why=why)


def _no_orphans(record: ScriptRecord) -> CheckResult:
    if record.ended != "by itself":
        return CheckResult(name="no_orphans", valid=True, why="the harness ended every process")
    why = "; ".join(record.orphans) or f"no rank outlived the command for {ORPHANS_S:g} s"
    return CheckResult(name="no_orphans", valid=not record.orphans, why=why)


def _replicas_agree(record: ScriptRecord, placed: Sequence[Placed]) -> CheckResult | None:
    """Ranks whose models are equal at first must stay equal.

    None if one rank steps, if each holds a part of the model, or if they differ from the first step on and are equal again
    later, as ranks that exchange parameters now and then are.
    """
    name, beginning = "replicas_agree", {one.process.rank: one.process.parameters for one in reversed(placed)}
    ranks, difference = stepping(placed, record.ranks), first_difference(placed, record.ranks)
    if len(ranks) < 2 or len(set(beginning.values())) > 1 or any(one.process.part for one in placed):
        return None
    if difference is None:
        return CheckResult(name=name, valid=True, why="after every step, judged by a sample of the parameters")
    step, fingerprints = difference
    if step == 0:
        why = "the parameters differ from the first step on: each rank holds a part of the model, or trains by itself"
        return None if ever_agree(placed, record.ranks) else CheckResult(name=name, valid=None, why=why)
    odd = [
        f"rank{rank}" for rank, one in zip(ranks, fingerprints, strict=True) if fingerprints.count(one) * 2 < len(fingerprints)
    ]
    who = f"{', '.join(odd)} from the others" if odd else "the ranks from each other"
    return CheckResult(name=name, valid=False, why=f"after step {step} the parameters differ: {who}")


def _steps_known(record: ScriptRecord, placed: Sequence[Placed]) -> CheckResult:
    for one in record.processes:
        if one.not_counted:
            why = f"of rank{one.rank} (pid {one.pid}) only the first {len(one.steps)} were counted: {one.not_counted}"
            return CheckResult(name="steps_known", valid=None, why=why)
    if (most := max((one.world for one in record.processes), default=0)) > record.ranks:
        why = f"the script began with {record.ranks} ranks and later had {most}, and ranks may not become more"
        return CheckResult(name="steps_known", valid=None, why=why)
    lost = [f"rank{one.process.rank} (pid {one.process.pid})" for one in placed if one.start is None]
    if not lost:
        return CheckResult(name="steps_known", valid=True, why="every process resumed the training at a known step")
    why = (
        f"{lost[0]} began with parameters that no rank had before, so its steps cannot be counted: it loaded something"
        " else, or started over without a seed"
    )
    return CheckResult(name="steps_known", valid=None, why=why)


def _faults_acted(record: ScriptRecord) -> CheckResult:
    idle = [one for one in record.windows if one.acted is not True]
    if not record.windows:
        return CheckResult(name="faults_acted", valid=True, why="no faults were asked for")
    if not idle:
        return CheckResult(name="faults_acted", valid=True, why=f"{len(record.windows)} of {len(record.windows)} acted")
    first = idle[0]
    why = f"{len(idle)} of {len(record.windows)} did not: {first.label} {first.text} on {first.selector}: {first.evidence}"
    return CheckResult(name="faults_acted", valid=None, why=why)


def _phases(record: ScriptRecord, placed: Sequence[Placed], window: FaultWindow, injected: Sequence[FaultWindow]) -> Phases:
    hit = [int(name.removeprefix("rank")) for name in window.targets if name.startswith("rank") and ">" not in name]
    begun_ns = _injected_ns(record, window)
    return phases(
        window.label, begun_ns, record.processes, placed, record.ranks, hit,
        None if LAUNCHER in window.targets else record.launcher_gone_ns, finished=record.exit_code == 0,
        next_ns=min((at_ns for one in injected if (at_ns := _injected_ns(record, one)) > begun_ns), default=None),
    )  # fmt: skip


def _watched_s(record: ScriptRecord, injected: Sequence[FaultWindow]) -> list[float]:
    """How long steps could have come after each fault. A script that finished had none left to make after its last one."""
    last_ns = max((step.done_ns for one in record.processes for step in one.steps), default=record.ended_ns)
    until_ns = last_ns if record.exit_code == 0 else record.ended_ns
    return [(until_ns - _injected_ns(record, one)) / 1e9 for one in injected]


def _recovery(found: Phases, watched_s: float) -> Recovery:
    if found.first_step_s is None:
        return Recovery(window=found.window, seconds=max(watched_s, 0.0), censored=True)
    return Recovery(window=found.window, seconds=found.first_step_s, censored=False)


def _injected_ns(record: ScriptRecord, window: FaultWindow) -> int:
    """When a window began, by the monotonic clock."""
    return record.first_ns + round((window.injected_s or 0.0) * 1e9)


def _as_it_was(window: FaultWindow) -> FaultWindow:
    """A window with the times during which it held: those of a window by steps are known only afterwards."""
    injected_s, healed_s = window.injected_s, window.healed_s
    return msgspec.structs.replace(
        window,
        from_s=window.from_s if injected_s is None else round(injected_s, 3),
        to_s=window.to_s if healed_s is None else round(healed_s, 3),
    )


def _why(checks: Sequence[CheckResult], slos: Sequence[SLOResult]) -> str:
    wrong = [f"{one.name}: {one.why}" for one in checks if one.valid is False]
    unclear = [f"{one.name}: {one.why}" for one in checks if one.valid is None]
    missed = [f"{one.text}: {one.why}" for one in slos if not one.ok]
    through = "the script finished, and every SLO held" if slos else "the script finished"
    return "; ".join(wrong or unclear or missed) or through
