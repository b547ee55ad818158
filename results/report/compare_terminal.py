"""A comparison of two systems on the terminal: each pair as it ends, then the result of all pairs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from results.report.phrasing import Mark
from results.report.terminal_text import STYLES, print_table, print_to_copy, symbol, text
from results.trends.comparison import ComparedMetric, ComparisonResult
from results.trends.pairs import FEWEST_PAIRS, Subject

_WORDS: Final = {"ms": ("faster", "slower"), "s": ("faster", "slower")}
_SHOWN: Final = ("p50", "p99")
_MARKS: Final[dict[str, Mark]] = {"worse": "bad", "better": "good", "small": "good", "none": "good"}


def pair_line(number: int, values: Mapping[Subject, tuple[float, float]], not_counted: str) -> str:
    """One line about a finished pair."""
    if not_counted:
        return f"pair {number}: does not count: {not_counted}"
    usual = [subject for subject in values if subject.metric.name in _SHOWN]  # neither has any if no call of a side was done
    shown = [
        f"{subject.drill} {subject.metric.name} {_number(values[subject][0])} and {_number(values[subject][1])}"
        f" {subject.metric.unit}".strip()
        for subject in usual or values
    ]
    return f"pair {number}: {', '.join(shown) or 'nothing measured'}"


def said_of(one: ComparedMetric) -> str:
    """The result for one metric in words: "slower by 5.2% [4.1%, 6.3%]", "no difference seen; larger than 3% is excluded"."""
    low, high = one.interval
    less, more = _WORDS.get(one.unit, ("lower", "higher"))
    if one.verdict == "none":
        if low is None or high is None:
            if one.pairs < FEWEST_PAIRS:
                return "too few pairs to exclude anything"
            return f"no difference seen, from {_number(one.a)} to {_number(one.b)} {one.unit}".rstrip()
        largest = max(abs(low), abs(high))
        return "no difference at all" if largest == 0 else f"no difference seen; larger than {_percent(largest)} is excluded"
    if one.effect is None:  # A has none of it, so there is no ratio
        return f"{more}, from {_number(one.a)} to {_number(one.b)} {one.unit}".rstrip()
    missing = ", of what is missing to 100%" if one.metric == "availability" else ""
    bounds = "" if low is None or high is None else f" [{_percent(low)}, {_percent(high)}]"
    small = "; too small to count" if one.verdict == "small" else ""
    return f"{more if one.effect > 0 else less} by {_percent(abs(one.effect))}{bounds}{missing}{small}"


def print_comparison(result: ComparisonResult, console: Console) -> None:
    """All metrics, then the verdict."""
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for name in ("", *(("drill",) if len(result.drills) > 1 else ()), "metric"):
        table.add_column(name)
    for name in ("A", "B"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("B against A")
    for one in result.metrics:
        mark = _MARKS[one.verdict]
        drill = (text(one.drill),) if len(result.drills) > 1 else ()
        levels = (text(f"{_number(level)} {one.unit}".rstrip()) for level in (one.a, one.b))
        style = STYLES[mark] if one.verdict in ("worse", "better") else ""
        table.add_row(symbol(mark), *drill, text(one.metric), *levels, text(said_of(one), style))
    console.print()
    print_to_copy("A", result.a, console)
    print_to_copy("B", result.b, console)
    if result.metrics:
        console.print()
        print_table(table, console)
    console.print()
    for wrong in result.wrong:
        console.print(Text.assemble(symbol("bad"), " ", text(wrong)), soft_wrap=True)
    mark = "good" if result.exit_code == 0 else "open" if result.exit_code in (4, 130) else "bad"
    console.print(Text.assemble(symbol(mark), " ", text(result.why, "bold")), soft_wrap=True)
    print_to_copy("Again", result.rerun, console)


def _percent(share: float) -> str:
    if not math.isfinite(share):
        return "any amount"
    return f"{100 * share:.3g}%" if abs(share) < 10 else f"{100 * share:,.0f}%"


def _number(value: float) -> str:
    if 0.99 < value < 1:
        return f"{value:.6g}"
    return f"{value:.4g}" if abs(value) < 10_000 else f"{value:,.0f}"
