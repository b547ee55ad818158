"""The history of nights on the terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from harness.model.verdict import EXIT_CODES
from results.record.nights.rows import NIGHTLY, RecordedNight, RecordedRun
from results.report.phrasing import Mark, milliseconds, share
from results.report.terminal_text import print_table, symbol, text

_STYLES = {"complete": "", "begun": "cyan", "broke off": "yellow"}


def print_nights(nights: Sequence[RecordedNight], runs: Sequence[RecordedRun], console: Console) -> None:
    """A line for each night: when it began, what it ran, its commit, and how its runs ended."""
    by_night: dict[str, list[RecordedRun]] = {night.name: [] for night in nights}
    for run in runs:
        if run.night in by_night:
            by_night[run.night].append(run)
    table = _table("night", "began (UTC)", "what", "commit", "state", "runs", "count", "ended")
    for night in nights:
        ended = by_night[night.name]
        what = (night.suite or "all drills") if night.source == NIGHTLY else night.source
        table.add_row(
            text(night.name), f"{night.began_utc:%Y-%m-%d %H:%M}", text(what), text(night.commit),
            Text(night.state, style=_STYLES[night.state]), _of(len(ended), night.planned),
            str(sum(run.counted for run in ended)), text(_verdicts(ended)),
        )  # fmt: skip
    print_table(table, console)


def print_night(
    night: RecordedNight, runs: Sequence[RecordedRun], figures: Mapping[int, Mapping[str, float]], console: Console
) -> None:
    """One night: what it ran on, then a line for each run with why it was wrong, unknown or not counted."""
    console.print(text(f"{night.name}  {night.source} {night.suite}".rstrip(), style="bold"))
    state = night.state + (f" ({night.why})" if night.why else "")
    facts = ", ".join(f"{name} {value}" for name, value in night.facts.items())
    for name, value in (
        ("Began", f"{night.began_utc:%Y-%m-%d %H:%M:%S} UTC"),
        ("State", state),
        ("Commit", night.commit or "not known"),
        ("On", facts),
    ):
        console.print(Text.assemble((f"{name:<8}", "dim"), text(value)), soft_wrap=True)
    table = _table("", "drill", "seed", "p50", "p99", "available", "recovery", "")
    for run in runs:
        measured = figures.get(run.id, {})
        recovery = measured.get("recovery")
        table.add_row(
            symbol(_mark(run)), text(run.drill), str(run.seed), milliseconds(measured.get("p50")),
            milliseconds(measured.get("p99")), share(measured.get("availability")),
            "" if recovery is None else f"{recovery:.3g} s", text(_remark(run)),
        )  # fmt: skip
    console.print()
    print_table(table, console)


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for column in columns:  # a narrow terminal folds them and leaves nothing out; a night's name is one piece, to be copied
        table.add_column(column, no_wrap=column == "night", overflow="fold")
    return table


def _of(made: int, planned: int) -> str:
    return str(made) if made >= planned else f"{made} of {planned}"


def _verdicts(runs: Sequence[RecordedRun]) -> str:
    """ "1 fail, 2 unknown, 9 pass", the gravest first; a run that caught its known bug counts as a pass."""
    counts = Counter("pass" if run.as_expected else run.verdict for run in runs)
    return ", ".join(f"{counts[verdict]} {verdict}" for verdict in EXIT_CODES if counts[verdict])


def _mark(run: RecordedRun) -> Mark:
    if run.as_expected:
        return "good"
    return "open" if run.verdict == "unknown" else "bad"


def _remark(run: RecordedRun) -> str:
    told = [] if run.as_expected or not run.why else [run.why]
    if run.not_counted and run.state == "ended" and run.not_counted not in run.why:
        told.append(f"does not count: {run.not_counted}")
    return "; ".join(told)
