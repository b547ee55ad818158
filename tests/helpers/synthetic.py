"""Histories made up for tests: steady load, with stretches of it spoilt."""

from __future__ import annotations

import numpy as np
import pandas as pd

from harness.model.history import History
from harness.model.slo import SLO
from results.analysis.judge import judge
from results.analysis.metrics import measure
from results.record.result import CheckResult, Machine, Result, verdict_of

MACHINE = Machine(cpu="Some CPU at 2.0 GHz", cores=2, memory_gib=7.8, kernel="Linux 6.1", python="3.11.7")


def steady(rate: float = 500, seconds: float = 10, latency_ms: float = 2.0, seed: int = 1) -> pd.DataFrame:
    """Constant arrivals, all done, latencies spread around a median as real ones are."""
    random = np.random.default_rng(seed)
    due_ns = (np.arange(int(rate * seconds)) * (1e9 / rate)).astype("int64")
    took_ns = (latency_ms * 1e6 * random.lognormal(0, 0.3, len(due_ns))).astype("int64")
    return pd.DataFrame(
        {
            "client": np.arange(len(due_ns)) % 10,
            "kind": np.where(random.random(len(due_ns)) < 0.5, "read", "write"),
            "key": [f"k{key}" for key in random.integers(0, 20, len(due_ns))],
            "value": [f"v{index}" for index in range(len(due_ns))],
            "expected": [f"v{index}" if index % 2 else None for index in range(len(due_ns))],
            "outcome": "ok",
            "error": None,
            "node": "n1",
            "due_ns": due_ns,
            "sent_ns": due_ns,
            "done_ns": due_ns + took_ns,
        }
    )


def spoil(
    ops: pd.DataFrame,
    from_s: float,
    to_s: float,
    outcome: str = "failed",
    error: str = "refused",
    latency_ms: float | None = None,
) -> pd.DataFrame:
    """The same operations, those due in a stretch with another outcome and latency."""
    ops = ops.copy()
    hit = (ops["due_ns"] >= from_s * 1e9) & (ops["due_ns"] < to_s * 1e9)
    ops.loc[hit, "outcome"] = outcome
    ops.loc[hit, "error"] = error if outcome != "ok" else None
    if outcome != "ok":
        ops.loc[hit & (ops["kind"] == "read"), "value"] = None
    if latency_ms is not None:
        ops.loc[hit, "done_ns"] = ops.loc[hit, "due_ns"] + int(latency_ms * 1e6)
    return ops


def window(
    from_s: float, to_s: float, label: str = "w0", fault: str = "Kill", acted: bool | None = True, injected: bool = True
) -> dict[str, object]:
    return {
        "label": label,
        "fault": fault,
        "selector": "one",
        "targets": "n2",
        "from_s": from_s,
        "to_s": to_s,
        "injected_ns": int(from_s * 1e9) if injected else None,
        "healed_ns": int(to_s * 1e9) if injected else None,
        "acted": acted,
        "evidence": f"n2 (pid 4242) ended by SIGKILL at {from_s:g} s, answered again at {to_s:g} s"
        if acted
        else "no sign of it",
    }


def crash(
    outage_s: float = 0.6, at_s: float = 4.0, seconds: float = 10.0, rate: float = 500, outcome: str = "unknown", seed: int = 1
) -> History:
    """One node is killed: for a while calls hang until given up, some are refused, then all is well."""
    ops = spoil(steady(rate, seconds, seed=seed), at_s, at_s + outage_s, outcome, "no answer within 1,000 ms", 1000)
    ops = spoil(ops, at_s + outage_s / 2, at_s + outage_s, "failed", "connection refused", 0.4)
    events = [
        {"at_ns": int(at_s * 1e9), "node": "n2", "kind": "killed", "detail": "SIGKILL"},
        {"at_ns": int((at_s + 2) * 1e9), "node": "n2", "kind": "started", "detail": "pid 4243"},
    ]
    links = [
        {"link": f"{a}>{b}", "connections": 10, "received_bytes": 123_456, "sent_bytes": 120_000}
        for a, b in [("client", "n1"), ("client", "n2"), ("n1", "n2"), ("n2", "n1")]
    ]
    usage = [{"at_ns": int(seconds * 1e9), "node": "n1", "pid": 4242, "moment": "end", "ran_ns": 10**9, "waited_ns": 10**6}]
    return History.of(ops, [window(at_s, at_s + 2)], events, links, usage=usage)


def concluded(
    history: History,
    slos: tuple[str, ...] = ("p99 < 50ms", "availability >= 90%", "recovery < 2s"),
    checks: tuple[CheckResult, ...] = (CheckResult(name="linearizable", valid=True, why="20 registers, 5,000 operations"),),
    drill: str = "quorum/killed",
    title: str = "Kill one of three replicas under steady reads and writes.",
    **other: object,
) -> Result:
    """The result that a run with this history would have."""
    parsed = [SLO.parse(text) for text in slos]
    measured = measure(history, parsed)
    judged = tuple(judge(slo, measured) for slo in parsed)
    fields: dict[str, object] = {
        "drill": drill,
        "title": title,
        "seed": 7,
        "verdict": verdict_of(checks, judged),
        "checks": checks,
        "slos": judged,
        "metrics": measured.metrics(),
        "recoveries": measured.recoveries,
        "faults": history.fault_windows,
        "rerun": f"harness drill {drill} --seed 7",
        "started_utc": "2026-01-02T03:04:05Z",
        "duration_s": 12.5,
        "machine": MACHINE,
        "versions": {"distributed-ml-harness": "0.1.0", "pandas": "2.2.0"},
        "commit": "0123abc",
        "fault_plane": "embedded",
    }
    return Result(**(fields | other))  # type: ignore[arg-type]
