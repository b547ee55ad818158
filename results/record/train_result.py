"""What a run of a training script came to: what `harness train --json` writes."""

from __future__ import annotations

from typing import Final

import msgspec

from harness.model.errors import UsageError
from harness.model.fault_window import FaultWindow
from harness.model.slo import SLO
from harness.model.verdict import RunVerdict
from results.analysis.goodput import Phases, TrainMetrics
from results.analysis.judge import SLOResult
from results.analysis.recovery import Recovery
from results.record.result import CheckResult, Machine

TRAIN_RESULT: Final = "train.json"
"""The file's name in the run's folder."""


SCRIPT_LOG: Final = "script.log"
"""What the script wrote, in the same folder."""


class LinkResult(msgspec.Struct, frozen=True, kw_only=True):
    """What went over one link: received from either end, and sent on to the other."""

    link: str
    connections: int
    received_bytes: int
    sent_bytes: int


class TrainResult(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a run concluded. All times in seconds count from when the first step was begun."""

    command: str
    seed: int
    verdict: RunVerdict
    why: str
    ranks: int
    exit_code: int | None
    """Of the command; None if the harness ended it."""
    checks: tuple[CheckResult, ...]
    slos: tuple[SLOResult, ...]
    metrics: TrainMetrics
    faults: tuple[FaultWindow, ...]
    recoveries: tuple[Recovery, ...]
    """From each fault to the first step that every rank had begun after it and done."""
    phases: tuple[Phases, ...]
    links: tuple[LinkResult, ...]
    rerun: str
    started_utc: str
    duration_s: float
    machine: Machine
    versions: dict[str, str]
    commit: str
    fault_plane: str


def encode(result: TrainResult) -> bytes:
    """The result as indented JSON."""
    return msgspec.json.format(msgspec.json.encode(result), indent=2) + b"\n"


def decode(text: bytes, source: str) -> TrainResult:
    """The result that `encode` wrote. Raises `UsageError`, naming `source`, if the text is not one."""
    try:
        return msgspec.json.decode(text, type=TrainResult)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{source} is not the result of a training script: {error}.") from error


def judged(slo: SLO, metrics: TrainMetrics, recoveries: tuple[Recovery, ...]) -> SLOResult:
    """One SLO; percentiles and `max` are of a step's time."""
    if slo.metric == "recovery":
        return _judged_recovery(slo, recoveries)
    known = {
        "goodput": metrics.goodput,
        "ettr": metrics.ettr,
        "lost_steps": float(metrics.lost_steps),
        "bytes_per_step": metrics.bytes_per_step,
        "stall": metrics.longest_stall_s,
    }
    steps_ms = {50.0: metrics.step_p50_ms, 99.0: metrics.step_p99_ms}
    value = known.get(slo.metric) if slo.percentile is None else steps_ms.get(slo.percentile)
    if slo.metric == "max":
        value = metrics.step_max_ms
    if value is None:
        why = f"too few clean steps ({metrics.clean_steps}) before the first fault" if slo.metric == "goodput" else "not known"
        return SLOResult(text=slo.text, value=None, ok=None, why=why)
    unit = {"lost_steps": "", "bytes_per_step": " B", "stall": " s"}.get(slo.metric, " ms")
    shown = f"{value:.1%}" if slo.metric in ("goodput", "ettr") else f"{value:.4g}{unit}"
    return SLOResult(text=slo.text, value=value, ok=slo.holds(value), why=f"observed {shown}")


def _judged_recovery(slo: SLO, recoveries: tuple[Recovery, ...]) -> SLOResult:
    if not recoveries:
        return SLOResult(text=slo.text, value=None, ok=None, why="no fault acted, so there is nothing to recover from")
    worst = max(recoveries, key=lambda one: (one.censored, one.seconds))
    if worst.censored:
        why = f"no step of all ranks after {worst.window}, {worst.seconds:.3g} s long"
        return SLOResult(text=slo.text, value=None, ok=False, why=why)
    why = f"{worst.seconds:.3g} s after {worst.window}, the longest of {len(recoveries)}"
    return SLOResult(text=slo.text, value=worst.seconds, ok=slo.holds(worst.seconds), why=why)
