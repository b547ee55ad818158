"""The nights as OpenMetrics text, for Prometheus and Grafana: https://github.com/OpenObservability/OpenMetrics.

All nights with their times are input for `promtool tsdb create-blocks-from openmetrics`; the last night alone, without times,
is input for a scrape or the textfile collector.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

from results.trends.nightly import Nightly
from results.trends.nights import Night
from results.trends.series import Metric, Series

_BASE_UNITS: Final = {"ms": ("seconds", 1e-3), "s": ("seconds", 1.0), "MiB": ("bytes", 2.0**20), "": ("ratio", 1.0)}
"""By a metric's unit, the base unit that the format requires, and the factor to convert to it."""

_Labels = tuple[tuple[str, str], ...]


@dataclass(frozen=True, kw_only=True)
class _Sample:
    labels: _Labels
    value: float
    night: Night


@dataclass(frozen=True, kw_only=True)
class _Family:
    name: str
    unit: str
    says: str
    samples: Sequence[_Sample]


def openmetrics(nightly: Nightly, *, every_night: bool) -> str:
    """All figures and verdicts, of every night with its time or of the last night without; then the last night's judgement."""
    nights = nightly.nights if every_night else [nightly.last]
    families = [*_figures(nightly, nights), _runs(nights), *_judged(nightly)]
    return "".join(_written(family, timed=every_night) for family in families if family.samples) + "# EOF\n"


def _figures(nightly: Nightly, nights: Iterable[Night]) -> Iterator[_Family]:
    """The median of each night's runs, in base units: a family for each unit, since a family has only one."""
    by_name = {night.name: night for night in nights}
    families: dict[str, dict[_Labels, dict[str, _Sample]]] = {}
    for judged in nightly.findings.judged:
        unit, factor = _base(judged.series.metric)
        labels = _labels(judged.series)
        samples = families.setdefault(unit, {}).setdefault(labels, {})
        for point in judged.series.points:
            if point.night in by_name:
                value = median(point.values) * factor
                samples[point.night] = _Sample(labels=labels, value=value, night=by_name[point.night])
    for unit, of_unit in families.items():
        yield _Family(
            name=f"harness_figure_{unit}" if unit else "harness_figure",
            unit=unit,
            says="What a night measured: the median of its runs.",
            samples=[sample for samples in of_unit.values() for sample in _in_order(samples.values())],
        )


def _runs(nights: Iterable[Night]) -> _Family:
    samples: dict[_Labels, list[_Sample]] = {}
    for night in nights:
        counts: dict[_Labels, int] = {}
        for run in night.runs:
            labels: _Labels = (("drill", run.drill), ("verdict", run.verdict), ("expected", str(run.as_expected).lower()))
            counts[labels] = counts.get(labels, 0) + 1
        for of_labels, count in counts.items():
            samples.setdefault(of_labels, []).append(_Sample(labels=of_labels, value=count, night=night))
    every = [sample for group in samples.values() for sample in _in_order(group)]
    return _Family(name="harness_runs", unit="", says="How the runs of a night ended.", samples=every)


def _judged(nightly: Nightly) -> Iterator[_Family]:
    """The judgement as of the last night."""
    last = nightly.last

    def family(name: str, unit: str, says: str, values: Iterable[tuple[_Labels, float]]) -> _Family:
        samples = [_Sample(labels=labels, value=value, night=last) for labels, value in values]
        return _Family(name=f"harness_{name}", unit=unit, says=says, samples=samples)

    moved = {id(change.series): -1 if change.worse else 1 for change in reversed(nightly.new)}
    worst: dict[_Labels, int] = {}  # a night that was put together from files may have one drill with two definitions
    for judged in nightly.measured:
        labels, how = _labels(judged.series), moved.get(id(judged.series), 0)
        worst[labels] = min(how, worst.get(labels, how))
    yield family(
        "figure_moved", "", "What the last night made certain: -1 moved for the worse, 1 for the better, 0 did not move.",
        worst.items(),
    )  # fmt: skip
    slos = [((("drill", budget.drill), ("slo", budget.slo)), budget) for budget in nightly.budgets]
    yield family(
        "slo_attained_ratio", "ratio", "The share of runs that met an SLO in the last nights.",
        (((*labels, ("nights", str(window.nights))), window.share)
         for labels, budget in slos for window in budget.attained if window.share is not None),
    )  # fmt: skip
    yield family(
        "error_budget_left_ratio", "ratio", "What is left of the error budget of 90 nights; negative if it is overspent.",
        ((labels, budget.left) for labels, budget in slos),
    )  # fmt: skip
    yield family(
        "error_budget_burn_rate", "", "How many times too fast the error budget burns, over the last nights.",
        (((*labels, ("nights", str(burn.alert.long_nights))), burn.long_rate)
         for labels, budget in slos for burn in budget.burns if burn.long_rate is not None),
    )  # fmt: skip
    yield family(
        "exit_code", "", "What `harness nightly` exits with: 0 if nothing moved for the worse.", [((), nightly.exit_code)]
    )
    yield family("night_began_timestamp_seconds", "seconds", "When the last night began.", [((), last.began_utc.timestamp())])


def _labels(series: Series) -> _Labels:
    return (("drill", series.drill), ("metric", series.metric.name))


def _base(metric: Metric) -> tuple[str, float]:
    if metric.unit == "1/s":
        return "per_second", 1.0
    return _BASE_UNITS.get(metric.unit, ("", 1.0))


def _in_order(samples: Iterable[_Sample]) -> list[_Sample]:
    """Sorted by time without duplicates, as the format requires: a clock may have gone back."""
    return sorted({sample.night.began_utc: sample for sample in samples}.values(), key=lambda sample: sample.night.began_utc)


def _written(family: _Family, *, timed: bool) -> str:
    lines = [f"# TYPE {family.name} gauge"]
    lines += [f"# UNIT {family.name} {family.unit}"] if family.unit else []
    lines.append(f"# HELP {family.name} {_escaped(family.says)}")
    for sample in family.samples:
        labels = ",".join(f'{name}="{_escaped(value)}"' for name, value in sample.labels)
        at = f" {sample.night.began_utc.timestamp():.3f}" if timed else ""
        lines.append(
            f"{family.name}{{{labels}}} {sample.value:.10g}{at}" if labels else f"{family.name} {sample.value:.10g}{at}"
        )
    return "\n".join(lines) + "\n"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
