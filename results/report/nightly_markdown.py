"""The nights in Markdown: a comment on a pull request, a chat message, a CI job's summary."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from results.report.nightly_items import RunPages, items
from results.report.nightly_phrasing import budget_words, burn_words, flaky_words, nightly_mark, short, summary, title
from results.report.nightly_trust import trust
from results.report.phrasing import count
from results.trends.nightly import Nightly

_MARKS: Final = {"good": "✅", "bad": "❌", "open": "❔"}
_ITEMS: Final = 20
"""The most items that are listed; for the others only their number. GitHub takes comments of up to 65,536 characters."""
_SPECIAL: Final = re.compile(r"([\\`*_{}\[\]<>#|~&@])")


def markdown(nightly: Nightly) -> str:
    """What happened last night, then the error budgets and the flaky drills, collapsed."""
    return "\n".join(_lines(nightly)) + "\n"


def _lines(nightly: Nightly) -> Iterator[str]:
    last = nightly.last
    commit = f", commit `{short(last.commit)}`" if last.commit else ""
    yield f"## {_MARKS[nightly_mark(nightly)]} {_text(title(nightly))}"
    yield ""
    yield f"Night {_text(last.name)}{commit}, {count(len(nightly.nights), 'night')} in all. {_text(summary(nightly))}"
    found = items(nightly, RunPages({}, nightly.nights))
    if found:
        yield ""
        for item in found[:_ITEMS]:
            yield f"- {_MARKS[item.mark]} **{item.word}** {_text(item.text)}"
            yield from (f"  {_text(detail)}" for detail in item.details if detail)
        if len(found) > _ITEMS:
            yield f"- {len(found) - _ITEMS} more"
    if trusted := trust(nightly):
        yield ""
        yield _text(trusted)
    spent = [budget for budget in nightly.budgets if budget.spent]
    yield from _folded(
        f"Error budgets: {count(len(spent), 'SLO')} of {len(nightly.budgets)} missed at least once in 90 nights",
        ["drill", "SLO", "error budget"],
        [[budget.drill, budget.slo, "; ".join(filter(None, (budget_words(budget), burn_words(budget))))] for budget in spent],
    )
    yield from _folded(
        f"{count(len(nightly.flaky), 'flaky drill')} in 30 nights",
        ["drill", "how often", "last night"],
        [[flaky.drill, flaky_words(flaky), flaky.last_night] for flaky in nightly.flaky],
    )


def _folded(summary_line: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """A collapsed table; nothing if it has no rows."""
    if rows:
        yield from ("", f"<details><summary>{summary_line}</summary>", "")
        yield f"| {' | '.join(columns)} |"
        yield f"|{' --- |' * len(columns)}"
        yield from (f"| {' | '.join(_text(cell) for cell in row)} |" for row in rows[:_ITEMS])
        yield from ("", *([f"{len(rows) - _ITEMS} more"] if len(rows) > _ITEMS else []), "</details>")


def _text(text: str) -> str:
    """A text escaped for Markdown, on one line: nothing in it becomes markup, a link or a mention."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split())).replace("\\<", "&lt;").replace("\\>", "&gt;").replace("\\@", "&#64;")
