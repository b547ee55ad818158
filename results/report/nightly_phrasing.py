"""What the nights showed, in words: the same on the page, in Markdown and in JUnit XML."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from statistics import median
from typing import Final

from results.report.phrasing import Mark, conjoined, count, milliseconds, share
from results.trends.findings import Finding, Judged
from results.trends.flaky import Flaky
from results.trends.nightly import Nightly
from results.trends.nights import Night, RunOutcome
from results.trends.series import Metric
from results.trends.slo_budget import Budget

_NAMED: Final = 4
"""The most names in a sentence; the rest is a number, "3 more"."""
_USUAL: Final = ("p50", "p99", "availability", "recovery", "p99.9", "max", "rate", "cpu", "memory", "starts")
"""The order of figures; others come after them."""
_METRICS_NAMED: Final = 4
_LARGE: Final = 9
"""A relative change of at least this is shown as a multiple."""
_MARKS: Final[dict[int, Mark]] = {0: "good", 1: "bad", 3: "bad", 4: "open"}


def nightly_mark(nightly: Nightly) -> Mark:
    """How the night is marked: good if nothing moved for the worse and nothing is unknown."""
    return _MARKS[nightly.exit_code]


def title(nightly: Nightly) -> str:
    """The night in a few words."""
    worse = nightly.worse
    better = len(nightly.new) - len(worse)
    parts = [f"{_drills(nightly.wrong)} wrong"] if nightly.wrong else []
    parts += [f"{count(len(worse), 'figure')} got worse"] if worse else []
    parts += [f"{_drills(nightly.missed)} missed an SLO"] if nightly.missed else []
    if not parts and nightly.exit_code == 4:
        return "The night broke off" if nightly.last.state == "broke off" else "Cannot tell whether anything moved"
    parts += [f"{count(better, 'figure')} got better"] if better else []
    text = ", ".join(parts) or "Nothing moved"
    return text[0].upper() + text[1:]


def summary(nightly: Nightly) -> str:
    """The night in a few sentences."""
    nights = len(nightly.nights)
    parts = []
    worse = nightly.worse
    if nightly.last.state == "broke off":
        parts.append(f"The last night broke off: {broke_off_words(nightly.last)}.")
    if nightly.wrong:
        parts.append(f"Wrong: {_names(run.drill for run in nightly.wrong)}.")
    if worse:
        parts.append(f"Worse: {_names(f'{change.series.metric.name} of {change.series.drill}' for change in worse)}.")
    if nightly.missed:
        parts.append(f"SLO missed: {_names(run.drill for run in nightly.missed)}.")
    if not nightly.measured and nightly.last.runs:
        parts.append("No figure of the last night counts.")
    elif not nightly.compared:
        alike = max((len(one.series.points) for one in nightly.measured), default=nights)
        ground = " on this ground" if alike < nights else ""
        parts.append(f"{count(alike, 'night')}{ground} {'is' if alike == 1 else 'are'} too few to compare figures.")
    elif not worse:
        parts.append(f"No figure moved for the worse in the last of {count(nights, 'night')}.")
    if nightly.compared:
        parts.append(reach_sentence(nightly.measured))
    if nightly.unknown:
        parts.append(f"Unknown: {_names(run.drill for run in nightly.unknown)}.")
    if nightly.not_counted:
        parts.append(f"Not compared: {_names(run.drill for run in nightly.not_counted)}.")
    burning = [f"{budget.slo} of {budget.drill}" for budget in nightly.budgets if budget.fires]
    if burning:
        parts.append(f"Error budgets that burn too fast: {_names(burning)}.")
    return " ".join(parts)


def reach_sentence(figures: Iterable[Judged]) -> str:
    """The smallest changes of the usual figures that would be found, as medians over the drills; empty if not known."""
    five: dict[Metric, list[float]] = {}
    one: dict[Metric, list[float]] = {}
    for judged in figures:
        for found, change in ((five, judged.smallest), (one, judged.smallest_at_once)):
            if change is not None and math.isfinite(change):
                found.setdefault(judged.series.metric, []).append(change)
    known = five or one
    usual = sorted(known, key=lambda metric: place_of(metric.name))
    words = [f"{metric.name} {smallest(metric, median(known[metric]))}" for metric in usual[:_METRICS_NAMED]]
    if not words:
        return ""
    how = "Changes as small as {} would be found within five nights." if five else "Changes of {} would be seen in one night."
    return how.format(conjoined(words))


def smallest_of(judged: Judged) -> str:
    """The smallest change that would be found in one figure: "+4.2 %", "+40 % in one night"."""
    if judged.smallest is not None or judged.smallest_at_once is None:
        return smallest(judged.series.metric, judged.smallest)
    return f"{smallest(judged.series.metric, judged.smallest_at_once)} in one night"


def smallest(metric: Metric, change: float | None) -> str:
    """The smallest change that would be found: "+12 %"; for a share, by how much what is missing to 1 would have to grow.

    A dash if it is not known, or if the figure is 0, of which no change is a share.
    """
    if change is None or math.isinf(change):
        return "–"
    if metric.unit == "":
        return f"{two_digits(1 + change)}× missing" if change < 1000 * _LARGE else "–"
    if change >= _LARGE:
        return f"over {1 + _LARGE:g}×"
    return f"{'+' if metric.better == 'lower' else '−'}{two_digits(abs(change) * 100)} %"


def amount(metric: Metric, value: float) -> str:
    """A value with its unit: "3.14 ms", "99.8 %"."""
    match metric.unit:
        case "":
            return share(value)
        case "ms":
            return milliseconds(value)
        case "1/s":
            return f"{value:,.0f}/s" if value >= 999.95 else f"{value:.4g}/s"
        case unit:
            return f"{value:,.0f} {unit}" if value >= 999.5 else f"{value:.3g} {unit}"


def change_word(change: Finding) -> str:
    """What happened to the metric."""
    up = change.after > change.before
    match change.kind:
        case "shift":
            return "rose" if up else "fell"
        case "drift":
            return "creeps up" if up else "creeps down"
        case "jump":
            return "jumped" if up else "dropped"


def change_sentence(change: Finding) -> str:
    """ "quorum/healthy: p99 rose from 12.1 ms to 22.4 ms"."""
    metric = change.series.metric
    before, after = amount(metric, change.before), amount(metric, change.after)
    sentence = f"{change.series.drill}: {metric.name} {change_word(change)} from {before} to {after}"
    return f"{sentence} by now" if change.kind == "drift" else sentence


def change_size(change: Finding) -> str:
    """ "+85 %, 95 % interval +79 % to +91 %"."""
    low, high = change.interval
    if change.series.metric.unit == "":
        of = "what is missing to 100 %: "
        return f"{of}{_times(change.effect)}, 95 % interval {_times(low)} to {_times(high)}"
    if math.isinf(change.effect):
        return "from nothing"
    return f"{percent(change.effect)}, 95 % interval {percent(low)} to {percent(high)}"


def change_since(change: Finding) -> str:
    """ "since 2026-11-25, between commits 1a2b3c4 and 5d6e7f8"."""
    points = change.series.points
    at = next(number for number, point in enumerate(points) if point.night == change.night)
    commit, before = short(points[at].commit), short(points[at - 1].commit) if at else ""
    if not commit:
        code = ""
    elif before == commit and commit.endswith("+"):
        code = f", at commit {commit}, as before, but with changes that were not committed"
    elif before == commit:
        code = f", with the same commit {commit} as before"
    else:
        code = f", between commits {before} and {commit}" if before else f", commit {commit}"
    surely = f"; certain since {change.seen}" if change.seen != change.night else ""
    lone = change.kind == "jump" and change.night == points[-1].night
    doubt = "; it may turn out to be a lone bad night" if lone else ""
    return f"since {change.night}{code}{surely}{doubt}"


def short(commit: str) -> str:
    """A commit's first digits, and "+" if there were changes that were not committed."""
    return commit.removesuffix("+")[:10] + "+" * commit.endswith("+")


def percent(effect: float) -> str:
    """A relative change: "+4.2 %", "−12 %"."""
    if effect >= _LARGE:
        return _times(effect)
    return f"{'+' if effect >= 0 else '−'}{two_digits(abs(effect) * 100)} %"


def broke_off_words(night: Night) -> str:
    """Why a night broke off."""
    return night.why.removeprefix("broke off: ") or "why is not known"


def place_of(metric: str) -> tuple[int, str]:
    """The sort key that puts figures into their usual order."""
    return (_USUAL.index(metric) if metric in _USUAL else len(_USUAL), metric)


def run_word(run: RunOutcome) -> str:
    """How a run ended, if not as expected."""
    words = {"fail": "wrong", "slo": "SLO missed", "unknown": "unknown", "pass": "known bug not caught"}
    return words[run.verdict]


def budget_words(budget: Budget) -> str:
    """ "62 % of the error budget is left", and until when."""
    if budget.left <= 0:
        misses = count(budget.spent, "miss", "misses")
        return f"the error budget is spent: {misses}, {two_digits(budget.allowed)} are allowed in 90 nights"
    left = f"{budget.left * 100:.0f} % of the error budget is left"
    return f"{left}, until {budget.ends_utc:%Y-%m-%d} at this rate" if budget.ends_utc else left


def burn_words(budget: Budget) -> str:
    """ "burns too fast, 20 times over 3 nights and 6 times over 10 nights"; empty if no alert fires."""
    fires = [(burn.long_rate, burn.alert.long_nights) for burn in budget.burns if burn.fires and burn.long_rate is not None]
    rates = [f"{two_digits(rate)} times over {nights} nights" for rate, nights in fires]
    return f"burns too fast, {conjoined(rates)}" if rates else ""


def flaky_words(flaky: Flaky) -> str:
    """ "2 of 9 runs failed (22 %, 95 % interval 6 % to 55 %) at commits at which others passed"."""
    low, high = (f"{two_digits(bound * 100)} %" for bound in flaky.interval)
    rate = f"{two_digits(flaky.rate * 100)} %, 95 % interval {low} to {high}"
    text = f"{flaky.failed} of {count(flaky.runs, 'run')} failed ({rate}) at commits at which others passed"
    if flaky.kind == "by seed":
        seeds = [str(mix.seed) for mix in flaky.by_seed if mix.failed]
        return f"{text}; always with {'seed' if len(seeds) == 1 else 'seeds'} {conjoined(seeds)}"
    return text


def _names(names: Iterable[str]) -> str:
    """The distinct names; if there are many, the first few and how many more."""
    every = list(dict.fromkeys(names))
    return conjoined(every if len(every) <= _NAMED else [*every[: _NAMED - 1], f"{len(every) - _NAMED + 1} more"])


def _drills(runs: Sequence[RunOutcome]) -> str:
    return count(len({run.drill for run in runs}), "drill")


def _times(effect: float) -> str:
    return f"{two_digits(1 + effect)}×"


def two_digits(number: float) -> str:
    """Two significant digits, or all digits before the point: "0.42", "4.2", "42", "420"."""
    return f"{number:.2g}" if number < 9.95 else f"{number:,.0f}"
