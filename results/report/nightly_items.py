"""The items at the top of the nights' page: what happened last night, the gravest first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from results.report.nightly_phrasing import (
    broke_off_words,
    budget_words,
    burn_words,
    change_sentence,
    change_since,
    change_size,
    run_word,
)
from results.report.phrasing import Mark, count
from results.trends.findings import Finding
from results.trends.nightly import Nightly
from results.trends.nights import Night, RunOutcome, changed_facts


@dataclass(frozen=True, kw_only=True)
class Link:
    text: str
    address: str


@dataclass(frozen=True, kw_only=True)
class Item:
    """One thing that happened."""

    mark: Mark
    word: str
    """A word or two before the text."""
    text: str
    details: Sequence[str] = ()
    links: Sequence[Link] = ()
    drill: str = ""
    """The drill that it is about; empty if none."""
    metric: str = ""
    """The figure to draw; empty if none."""


class RunPages:
    """Where the pages of runs are."""

    def __init__(self, addresses: Mapping[str, str], nights: Sequence[Night]) -> None:
        """`addresses` holds the address of a run's page by the run's folder."""
        self.addresses = addresses
        self._first: dict[tuple[str, str], str] = {}
        for night in nights:
            for run in night.runs:
                if run.run_dir in addresses:
                    self._first.setdefault((run.drill, night.name), addresses[run.run_dir])

    def of_run(self, run: RunOutcome, text: str) -> Iterator[Link]:
        """A link to a run's page, if there is one."""
        if run.run_dir in self.addresses:
            yield Link(text=text, address=self.addresses[run.run_dir])

    def of_night(self, drill: str, night: str, text: str) -> Iterator[Link]:
        """A link to the page of a run of this drill in this night, if there is one."""
        if address := self._first.get((drill, night)):
            yield Link(text=f"{text}, {night}", address=address)


def items(nightly: Nightly, pages: RunPages) -> list[Item]:
    """Everything to report about the last night, the gravest first."""
    found = [*_ended(nightly.wrong, nightly, pages), *_ended(nightly.missed, nightly, pages)]
    new = nightly.new
    found += [change_item(change, pages) for change in new if change.worse]
    found += [
        Item(
            mark="bad",
            word="Budget",
            text=f"{budget.drill}, {budget.slo}: {burn_words(budget)}",
            details=[budget_words(budget)],
            drill=budget.drill,
        )
        for budget in nightly.budgets
        if budget.fires
    ]
    found += _ended(nightly.unknown, nightly, pages)
    found += [
        Item(mark="open", word="Not compared", text=f"{run.drill}: {run.not_counted}", drill=run.drill)
        for run in nightly.not_counted
    ]
    if nightly.last.state == "broke off":
        found.append(
            Item(mark="open", word="Broke off", text=f"the night {nightly.last.name}: {broke_off_words(nightly.last)}")
        )
    if changed := _new_ground(nightly.nights):
        text = f"{changed}. Figures from before are not compared with those from now on"
        found.append(Item(mark="open", word="New ground", text=text))
    return found + [change_item(change, pages) for change in new if not change.worse]


def change_item(change: Finding, pages: RunPages) -> Item:
    """A change of a figure, with the runs before and after it."""
    points = change.series.points
    at = next(number for number, point in enumerate(points) if point.night == change.night)
    drill = change.series.drill
    return Item(
        mark="bad" if change.worse else "good",
        word="Worse" if change.worse else "Better",
        text=change_sentence(change),
        details=[change_size(change), change_since(change)],
        links=[
            *(pages.of_night(drill, points[at - 1].night, "run before") if at else ()),
            *pages.of_night(drill, change.night, "run after"),
        ],
        drill=drill,
        metric=change.series.metric.name,
    )


def _ended(runs: Sequence[RunOutcome], nightly: Nightly, pages: RunPages) -> Iterator[Item]:
    """Runs of the last night that did not end as expected, grouped by drill."""
    for drill in dict.fromkeys(run.drill for run in runs):
        of_drill = [run for run in runs if run.drill == drill]
        first = of_drill[0]
        made = sum(run.drill == drill for run in nightly.last.runs)
        which = f"{len(of_drill)} of {made} runs, " if made > 1 else ""
        seeds = ", ".join(str(run.seed) for run in of_drill)
        yield Item(
            mark="open" if first.verdict == "unknown" else "bad",
            word=run_word(first).capitalize() if first.verdict != "slo" else run_word(first),
            text=f"{drill}, {which}seed{'s' if len(of_drill) > 1 else ''} {seeds}{f': {first.why}' if first.why else ''}",
            details=[_since(first, nightly.nights)],
            links=[link for run in of_drill for link in pages.of_run(run, f"the run with seed {run.seed}")],
            drill=drill,
        )


def _new_ground(nights: Sequence[Night]) -> str:
    """How the last night's facts differ from those of the night before; empty if any earlier night had the same facts.

    Machines that share a history take turns: the figures of each are compared with its own.
    """
    last, earlier = nights[-1], nights[:-1]
    known = any(not changed_facts(night, last) for night in reversed(earlier))
    return "" if known or not earlier else changed_facts(earlier[-1], last)


def _since(run: RunOutcome, nights: Sequence[Night]) -> str:
    """For how many consecutive nights the drill has ended this way, with any seed."""
    first = nights[-1]
    in_a_row = 0
    for night in reversed(nights):
        ended = [other.verdict for other in night.runs if other.drill == run.drill and not other.as_expected]
        if run.verdict not in ended:
            break
        first, in_a_row = night, in_a_row + 1
    return f"{count(in_a_row, 'night')} in a row, since {first.name}" if in_a_row > 1 else ""
