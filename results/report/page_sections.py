"""The contents of a run's page as plain texts and tables; the template only lays them out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
import pandas as pd

from harness.model import consensus_events, partition_events, training_events
from harness.model.history import History
from results.analysis.failures import FailureGroup
from results.analysis.metrics import Metrics
from results.analysis.recovery import Recovery
from results.analysis.sample_sizes import nearest_rank
from results.record.result import CheckResult, Judged, Result
from results.record.train_result import TrainResult
from results.report.phrasing import (
    Mark,
    mark_of,
    milliseconds,
    operation,
    recovery,
    recovery_words,
    run_mark,
    sentence,
    share,
    verdict_word,
)

_INNER: Final = (
    ({*consensus_events.KINDS} - {"leader"})
    | ({*partition_events.KINDS} - {"settled", "planned"})
    | {"work refused", "batch given"}
)
"""Events that a node reports by the hundred, for checkers: they would hide what people look for."""

_LOG_BYTES: Final = 1_000_000
"""How much of the end of a log file is read."""


@dataclass(frozen=True, kw_only=True)
class Column:
    name: str
    number: bool = False
    tight: bool = False
    code: bool = False


@dataclass(frozen=True, kw_only=True)
class Row:
    cells: tuple[str, ...]
    mark: Mark | None = None
    link: str = ""


@dataclass(frozen=True, kw_only=True)
class Table:
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    title: str = ""
    note: str = ""

    @property
    def marked(self) -> bool:
        return any(row.mark for row in self.rows)


@dataclass(frozen=True, kw_only=True)
class Log:
    """The end of a node's log."""

    name: str
    text: str
    note: str


@dataclass(frozen=True, kw_only=True)
class Room:
    """How much of everything a page has room for, per run."""

    points: int
    operations: int
    rows: int
    log_characters: int

    @classmethod
    def among(cls, runs: int) -> Room:
        """The room for each of `runs` runs, so that the page stays below 2 MB."""
        return cls(
            points=max(30_000 // runs, 300),
            operations=max(60 // runs, 5),
            rows=max(400 // runs, 20),
            log_characters=max(150_000 // runs, 1000),
        )


def overview(results: Sequence[Result], anchors: Sequence[str]) -> Table:
    """A line for each run."""
    columns = (
        Column(name="drill"),
        Column(name="verdict", tight=True),
        *(Column(name=name, number=True) for name in ("calls", "rate", "p50", "p99", "available", "recovery")),
    )
    rows = []
    for result, anchor in zip(results, anchors, strict=True):
        metrics = result.metrics
        figures = (
            f"{metrics.requests:,}",
            f"{metrics.rate_per_s:,.0f}/s",
            milliseconds(metrics.p50_ms),
            milliseconds(metrics.p99_ms),
        )
        cells = (result.drill, verdict_word(result), *figures, share(metrics.availability), recovery(metrics))
        rows.append(Row(mark=run_mark(result), link=anchor, cells=cells))
    return Table(columns=columns, rows=tuple(rows))


def figures(result: Result) -> list[tuple[str, str]]:
    """The key figures, each with its name."""
    return [*of_calls(result.metrics), ("recovery", recovery(result.metrics))]


def of_calls(metrics: Metrics) -> list[tuple[str, str]]:
    """The key figures of calls, each with its name."""
    return [
        ("calls", f"{metrics.requests:,}"),
        ("rate", f"{metrics.rate_per_s:,.0f}/s"),
        ("p50", milliseconds(metrics.p50_ms)),
        ("p99", milliseconds(metrics.p99_ms)),
        ("p99.9", milliseconds(metrics.p999_ms)),
        ("slowest", milliseconds(metrics.max_ms)),
        ("available", share(metrics.availability)),
    ]


def checks(result: Judged) -> Table:
    rows = (Row(mark=mark_of(check.valid), cells=(check.name, check.why)) for check in result.checks)
    return Table(columns=(Column(name="check", tight=True, code=True), Column(name="found")), rows=tuple(rows))


def slos(result: Judged) -> Table:
    rows = (Row(mark=mark_of(slo.ok), cells=(slo.text, slo.why)) for slo in result.slos)
    return Table(columns=(Column(name="objective", tight=True, code=True), Column(name="found")), rows=tuple(rows))


def errors(result: Result) -> Table:
    """Why calls were not done."""
    columns = (Column(name="calls", number=True), Column(name="outcome", tight=True), Column(name="reason"))
    rows = (Row(cells=(f"{reason.calls:,}", reason.outcome, reason.error)) for reason in result.errors)
    return Table(columns=columns, rows=tuple(rows))


def failures(groups: Sequence[FailureGroup]) -> Table:
    """Why calls of a load were not done, with an example of their answers."""
    columns = (
        Column(name="calls", number=True),
        Column(name="outcome", tight=True),
        Column(name="reason"),
        Column(name="for example", code=True),
    )
    used = columns if any(group.example for group in groups) else columns[:-1]
    rows = [(f"{group.calls:,}", group.outcome, group.reason, group.example)[: len(used)] for group in groups]
    return Table(columns=used, rows=tuple(Row(cells=cells) for cells in rows))


def nodes(history: History) -> Table:
    """How many calls each node answered, and how fast; no rows if answers do not name their node, or one node gave all."""
    load = history.load
    done = load[(load["outcome"] == "ok") & (load["node"].fillna("") != "")]
    latencies_ms = (done["done_ns"] - done["due_ns"]) / 1e6
    columns = (Column(name="node", code=True), *(Column(name=name, number=True) for name in ("done", "share", "p50", "p99")))
    rows = [
        Row(
            cells=(
                str(node),
                f"{len(of_node):,}",
                share(len(of_node) / len(done)),
                *(milliseconds(nearest_rank(np.sort(of_node), percentile)) for percentile in (50, 99)),
            )
        )
        for node, of_node in latencies_ms.groupby(done["node"])
    ]
    return Table(columns=columns, rows=tuple(rows) if len(rows) > 1 else ())


def operations(check: CheckResult, ops: pd.DataFrame, at_most: int) -> Table:
    """The operations that show why a check failed or could not decide."""
    known = [op for op in check.ops if op in ops.index]
    columns = (
        Column(name="operation", number=True),
        Column(name="due", number=True),
        Column(name="took", number=True),
        Column(name="what", code=True),
        Column(name="outcome", tight=True),
        Column(name="client", number=True),
        Column(name="node", tight=True),
        Column(name="error"),
    )
    rows = []
    for number, op in ops.loc[known[:at_most]].iterrows():
        cells = (
            f"{number:,}",
            f"{op['due_ns'] / 1e9:.3f} s",
            milliseconds((op["done_ns"] - op["due_ns"]) / 1e6),
            operation(op["kind"], op["key"], op["value"], op["expected"]),
            str(op["outcome"]),
            str(op["client"]),
            str(op["node"]),
            "" if pd.isna(op["error"]) else str(op["error"]),
        )
        rows.append(Row(cells=cells))
    more = len(check.ops) - len(rows)
    used = [index for index in range(len(columns)) if any(row.cells[index] for row in rows)]
    return Table(
        title=f"Operations that show why {check.name} is not satisfied",
        columns=tuple(columns[index] for index in used),
        rows=tuple(Row(cells=tuple(row.cells[index] for index in used)) for row in rows),
        note=f"{more:,} more are in the run's result." if more else "",
    )


def faults(result: Judged) -> Table:
    tight = [Column(name=name, tight=True) for name in ("window", "planned", "fault")]
    columns = (*tight, *(Column(name=name) for name in ("targets", "evidence", "recovery")))
    recoveries: dict[str, Recovery] = {found.window: found for found in result.recoveries}
    rows = []
    for fault in result.faults:
        targets = " ".join(fault.targets)
        hit = f"{targets} ({fault.selector})" if fault.selector not in ("", targets) else targets
        words = recovery_words(recoveries.get(fault.label))
        cells = (fault.label, f"{fault.from_s:g}–{fault.to_s:g} s", fault.text, hit, fault.evidence, words)
        rows.append(Row(mark=mark_of(fault.acted), cells=cells))
    return Table(columns=columns, rows=tuple(rows))


def events(history: History, at_most: int) -> Table:
    columns = (Column(name="at", number=True), Column(name="node"), Column(name="event"), Column(name="detail"))
    told = history.events[~history.events["kind"].isin(_INNER)]
    shown = told.head(at_most)
    rows = (
        Row(cells=(f"{at_ns / 1e9:.3f} s", _text(node), _text(kind), _event_words(_text(kind), _text(detail))))
        for at_ns, node, kind, detail in zip(shown["at_ns"], shown["node"], shown["kind"], shown["detail"], strict=True)
    )
    return Table(columns=columns, rows=tuple(rows), note=_more(len(told), len(shown)))


def _event_words(kind: str, detail: str) -> str:
    """What an event of a training says; the detail as it stands, of all others and of what an older run says in a sentence."""
    if kind not in training_events.KINDS:
        return detail
    try:
        return training_events.sentence(msgspec.json.decode(detail, type=training_events.KINDS[kind]))
    except msgspec.DecodeError:
        return detail


def links(history: History, at_most: int) -> Table:
    names = ("connections", "received_bytes", "sent_bytes")
    shown = history.links.head(at_most)
    columns = (Column(name="link", code=True), *(Column(name=name.replace("_bytes", ", bytes"), number=True) for name in names))
    rows = (
        Row(cells=(str(link), *(f"{count:,}" for count in counts)))
        for link, *counts in zip(shown["link"], *(shown[name] for name in names), strict=True)
    )
    return Table(columns=columns, rows=tuple(rows), note=_more(len(history.links), len(shown)))


def logs(run_dir: Path, characters: int) -> list[Log]:
    """The ends of all node logs of a run, in `characters` characters together."""
    return log_ends(sorted((run_dir / "nodes").glob("*.log")), characters)


def log_ends(files: Sequence[Path], characters: int) -> list[Log]:
    """The ends of some logs, in `characters` characters together."""
    return [_log(file, characters // len(files)) for file in files if file.stat().st_size]


def _log(file: Path, characters: int) -> Log:
    size = file.stat().st_size
    with file.open("rb") as opened:
        opened.seek(max(size - _LOG_BYTES, 0))
        text = opened.read().decode(errors="replace").rstrip()
    shown = text[-characters:]
    if len(shown) < len(text):
        shown = shown[shown.find("\n") + 1 :]
    return Log(name=file.stem, text=shown, note=f"the end of {size:,} bytes" if size > len(shown.encode()) + 2 else "")


def facts(result: Result | TrainResult) -> list[tuple[str, str]]:
    """What the run ran on and with."""
    machine = result.machine
    return [
        ("started", result.started_utc),
        ("took", f"{result.duration_s:.1f} s"),
        ("seed", str(result.seed)),
        ("fault plane", result.fault_plane),
        ("machine", f"{machine.cpu}, {machine.cores} cores, {machine.memory_gib:g} GiB"),
        ("kernel", machine.kernel),
        ("Python", machine.python),
        ("commit", result.commit or "not a repository"),
        ("packages", ", ".join(f"{name} {version}" for name, version in sorted(result.versions.items()))),
    ]


def headline(result: Result) -> tuple[Mark, str, str]:
    """How a run is marked, its verdict's word, and its sentence."""
    return run_mark(result), verdict_word(result), sentence(result)


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _more(there: int, shown: int) -> str:
    return f"{there - shown:,} more are in the run's folder." if there > shown else ""
