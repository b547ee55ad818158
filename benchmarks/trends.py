"""How often nights and pairs give a false alarm, and how often planted changes are found, compared with other tools.

`python benchmarks/trends.py` prints the table of `docs/statistics.md`. All series are made by
`tests/helpers/simulated_nights.py` from the seeds that are printed. No threshold was chosen with these seeds: all tuning was
done with the seeds 101 to 112.

Apache Otava is included if it is installed, in an environment of its own, as it needs other versions than we do:
`python -m venv OTAVA && OTAVA/bin/pip install apache-otava`, then `--otava OTAVA/bin/python`. `--tigerbeetle FILE` names
`tests/tigerbeetle_test.py` of Otava's source, which holds a public series of TigerBeetle.
"""

from __future__ import annotations

import argparse
import ast
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parent.parent))

from results.analysis.proportions import wilson
from results.trends.judging import judge, night_figures
from results.trends.newest import mornings_with_jumps
from results.trends.pairs import Comparison, Look, Subject
from results.trends.scales import scale_of
from results.trends.series import Metric, Series
from tests.helpers.simulated_nights import KINDS, SHARED_KINDS, Noise, relative, series_of, suite, until

Array = NDArray[np.float64]

SEEDS: Final = {
    "nights": 2_011,
    "planted": 2_002,
    "pairs": 2_003,
    "recorded": 2_004,
    "rivals": 2_005,
    "speed": 2_006,
    "young": 2_027,
}
RECORDED: Final = Path(__file__).parent / "data" / "same_code_runs.json"
"""Runs of `quorum/healthy` with the same code, one after another, on a machine of two cores that others used as well."""

_YEAR: Final = 365
_RUNS: Final = 5
_BEFORE: Final = 60
_AFTER: Final = 5
_GATE: Final = 1.05
"""pytest-benchmark's `--benchmark-compare-fail=mean:5%`: compares the mean of these runs with that of the last ones."""


@dataclass(frozen=True, kw_only=True)
class Planted:
    """A metric with its noise, and how it changes from a certain night on."""

    what: str
    metric: Metric
    level: float
    noise: Noise
    changed: Callable[[Array, Array], Array]
    """Makes new values from the old ones and the number of the night since the change, which begins at 1."""
    linear: bool = False

    def values(self, nights: int, random: np.random.Generator) -> Array:
        """Values without the change, nights × runs."""
        made = relative(self.noise, (1, nights, _RUNS), random)[0]
        if self.metric.name == "availability":
            values: Array = 1 - self.level * np.exp(made)
        else:
            values = self.level + made if self.linear else self.level * np.exp(made)
        return values


def _metric(name: str, unit: str) -> Metric:
    return Metric(name=name, unit=unit, better="higher" if name in ("availability", "rate") else "lower")


_P50 = Planted(what="+5% median", metric=_metric("p50", "ms"), level=10, noise=Noise(), changed=lambda values, _: values * 1.05)
PLANTED: Final = (
    _P50,
    Planted(
        what="+10% p99", metric=_metric("p99", "ms"), level=50, noise=Noise(night=0.012, run=0.03, outlier_size=0.15),
        changed=lambda values, _: values * 1.1,
    ),
    Planted(
        what="+50 ms recovery", metric=_metric("recovery", "s"), level=0.4, linear=True,
        noise=Noise(night=0.006, run=0.012, outlier_size=0.1), changed=lambda values, _: values + 0.05,
    ),
    Planted(
        what="-0.1% availability", metric=_metric("availability", ""), level=5e-4,
        noise=Noise(night=0.1, run=0.2, outlier_size=0.5),
        changed=lambda values, _: values - 0.001,
    ),
    Planted(
        what="1 MB/night leak", metric=_metric("memory", "MiB"), level=150,
        noise=Noise(night=0.002, run=0.003, outlier_size=0.02),
        changed=lambda values, since: values + since * 1e6 / 2**20,
    ),
)  # fmt: skip


def main() -> None:
    """Print the table, row by row."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--otava", metavar="PYTHON", help="the interpreter of the environment that Otava is installed in")
    parser.add_argument("--tigerbeetle", type=Path, metavar="FILE", help="Otava's tests/tigerbeetle_test.py")
    parser.add_argument("--series", type=int, default=1000, metavar="N", help="of a year without a change (1000)")
    parser.add_argument("--comparisons", type=int, default=1000, metavar="N", help="of a system with itself (1000)")
    parser.add_argument("--suites", type=int, default=1000, metavar="N", help="of a few nights, of each kind (1000)")
    parser.add_argument("--planted", type=int, default=200, metavar="N", help="of each change (200)")
    asked = parser.parse_args()
    for rows in (
        _nights(asked.series), _planted_nights(asked.planted), _young(asked.suites), _pairs(asked.comparisons, asked.planted),
        _recorded(asked.comparisons), _rivals(asked.otava), _public(asked.tigerbeetle, asked.otava), _speed(),
    ):  # fmt: skip
        for what, figure in rows:
            print(f"{what:<74} {figure}", flush=True)
        print()


def _share(hits: int, trials: int, digits: int = 1) -> str:
    low, high = wilson(hits, trials)
    return f"{hits}/{trials} = {hits / trials:.{digits}%} [{low:.{digits}%}, {high:.{digits}%}]"


Rows = Iterator[tuple[str, str]]


def _nights(count: int) -> Rows:
    """A year of nights without a change, judged after each night."""
    yield f"A/A, {count:,} series judged every night of a year, seed {SEEDS['nights']}:", ""
    for name, noise in KINDS.items():
        values = 10 * np.exp(relative(noise, (count, _YEAR, _RUNS), np.random.default_rng(SEEDS["nights"])))
        series = [series_of(one, drill=f"d/{at}") for at, one in enumerate(values)]
        changes = [change for change in judge(series).changes if change.kind != "jump"]
        scale = scale_of(series[0].metric)
        jumped = mornings_with_jumps(series, [scale] * count, [night_figures(one, scale) for one in series])
        nights = {change.seen for change in changes} | jumped
        yield (
            f"  {name}: shifts and drifts in a series-night; nights with any; with a jump",
            f"{len(changes)}/{count * _YEAR:,}; {_share(len(nights), _YEAR)}; {len(jumped)}",
        )


def _planted_nights(trials: int) -> Rows:
    """Each change in one series of a hundred, with 60 nights before it and five after."""
    yield (
        f"planted after {_BEFORE} nights, {_AFTER} nights later, among 100 series, seed {SEEDS['planted']}:",
        "found; night within ±1",
    )
    random = np.random.default_rng(SEEDS["planted"])
    found = dict.fromkeys((one.what for one in PLANTED), 0)
    exact = dict(found)
    for _ in range(trials):
        series = [_with_change(one, random) for one in PLANTED]
        rest = [_P50.values(_BEFORE + _AFTER, random) for _ in range(100 - len(series))]
        series += [series_of(values, drill=f"same/{at}") for at, values in enumerate(rest)]
        nights = {change.series.drill: int(change.night[-4:]) for change in judge(series).changes if change.worse}
        for what in found:
            if nights.get(what, 0) >= _BEFORE - 5:
                found[what] += 1
                exact[what] += abs(nights[what] - _BEFORE) <= 1
    for what, hits in found.items():
        yield f"  {what}", f"{_share(hits, trials)}; {exact[what]}/{hits}"


def _with_change(planted: Planted, random: np.random.Generator) -> Series:
    values = planted.values(_BEFORE + _AFTER, random)
    values[_BEFORE:] = planted.changed(values[_BEFORE:], np.arange(1.0, _AFTER + 1)[:, None])
    metric = planted.metric
    return series_of(values, drill=planted.what, name=metric.name, unit=metric.unit, better=metric.better)


def _young(count: int) -> Rows:
    """Histories of a few nights of a small suite, judged every morning, which is when jumps are reported."""
    fewest, most = 6, 15
    yield (
        f"{count} suites of two drills, judged every morning of nights {fewest} to {most}, seed {SEEDS['young']}:",
        "nights with a false alarm; ×4 in both p50, found after one night; after two",
    )
    for name, noise in SHARED_KINDS.items():
        random = np.random.default_rng(SEEDS["young"])
        alarmed = at_once = in_two = 0
        for _ in range(count):
            same = suite(noise, most, random)
            alarmed += sum(bool(judge([until(one, newest) for one in same]).new) for newest in range(fewest, most + 1))
            slow = suite(noise, fewest + 1, random, slower=4, since=fewest - 1)
            first = judge([until(one, fewest) for one in slow]).regressed
            at_once += first
            in_two += first or judge(slow).regressed
        nights = count * (most + 1 - fewest)
        yield f"  {name}", f"{_share(alarmed, nights, 2)}; {_share(at_once, count)}; {_share(in_two, count)}"


def _pairs(comparisons: int, trials: int) -> Rows:
    """`harness compare` with at most ten pairs, of all five metrics at once."""
    random = np.random.default_rng(SEEDS["pairs"])
    same = [_compared(None, random) for _ in range(comparisons)]
    yield (
        f"A/A, {comparisons:,} comparisons of five metrics, ten pairs, seed {SEEDS['pairs']}: said to be worse",
        _share(sum(look.regressed for look, _ in same), comparisons),
    )
    yield (
        "  a difference in either direction",
        _share(sum(any(one.verdict != "none" for one in look.compared) for look, _ in same), comparisons),
    )
    for planted in PLANTED:
        looks = [_compared(planted, random) for _ in range(trials)]
        hits = sum(
            any(one.verdict == "worse" and one.subject.metric == planted.metric for one in look.compared) for look, _ in looks
        )
        size = " (a leak's fifth night)" if "leak" in planted.what else ""
        yield f"  {planted.what}{size}: found", f"{_share(hits, trials)}; {np.mean([pairs for _, pairs in looks]):.1f} pairs"


def _compared(planted: Planted | None, random: np.random.Generator) -> tuple[Look, int]:
    comparison = Comparison(10)
    while True:
        pair: dict[Subject, tuple[float, float]] = {}
        for one in PLANTED:
            a, b = one.values(1, random)[0, :2]
            if one is planted:
                b = float(one.changed(np.array([[b]]), np.array([[5.0]]))[0, 0])
            pair[Subject(drill="d", metric=one.metric)] = (float(a), float(b))
        look = comparison.add(pair)
        if look.decided or comparison.pairs == 10:
            return look, comparison.pairs


def _recorded(comparisons: int) -> Rows:
    """Runs of the same code on a real, noisy machine, arranged in pairs."""
    if not RECORDED.is_file():
        yield f"A/A of recorded runs: there is no {RECORDED.name}", "skipped"
        return
    runs = json.loads(RECORDED.read_text())["runs"]
    random = np.random.default_rng(SEEDS["recorded"])
    units = {"p50": "ms", "p99": "ms", "rate": "1/s"}
    subjects = {name: Subject(drill="d", metric=_metric(name, unit)) for name, unit in units.items()}
    worse = 0
    for _ in range(comparisons):
        begin, comparison = int(random.integers(0, len(runs) - 20)), Comparison(10)
        for at in range(10):
            one, other = runs[begin + 2 * at], runs[begin + 2 * at + 1]
            a, b = (one, other) if random.random() < 0.5 else (other, one)
            look = comparison.add({subject: (a[name], b[name]) for name, subject in subjects.items()})
            if look.decided:
                break
        worse += look.regressed
    medians = np.array([run["p50"] for run in runs])
    low, high = np.percentile(medians, (10, 90))
    yield (
        f"A/A, {comparisons:,} comparisons of {len(runs)} recorded runs, seed {SEEDS['recorded']}: worse",
        _share(worse, comparisons),
    )
    yield "  their p50, from the first to the ninth decile", f"{low:.1f} to {high:.1f} ms"
    nights = 8
    series = [
        series_of(
            np.array([run["p50"] for run in random.permutation(np.array(runs, object))[: nights * 3]]).reshape(nights, 3),
            drill=f"{at}",
        )
        for at in range(comparisons)
    ]
    changes = [judge([one]).changes for one in series]
    yield (
        f"  {comparisons:,} histories of {nights} nights, three runs each, in random order: any finding",
        _share(sum(map(bool, changes)), comparisons),
    )


def _rivals(otava: str | None) -> Rows:
    """The same series judged by other rules: false alarms in a year, and a change of 5% after five nights."""
    count, trials = 100, 200
    random = np.random.default_rng(SEEDS["rivals"])
    yield f"one series of a hundred, p50, seed {SEEDS['rivals']}: false alarms a series-year; +5% found", ""
    planted = [_with_change(_P50, random).points for _ in range(trials)]
    figures = np.array([[np.mean(point.values) for point in points] for points in planted])
    years = {
        name: 10 * np.exp(relative(KINDS[name], (count, _YEAR, _RUNS), random)) for name in ("quiet", "correlated", "disturbed")
    }
    ours = {
        name: len(judge([series_of(one, drill=f"d/{at}") for at, one in enumerate(made)]).changes) / count
        for name, made in years.items()
    }
    found = _ours_found(planted, random)
    yield "  this project", f"{_by_noise(ours)}; {_share(found, trials)}"
    gate = {name: float((made.mean(2)[:, 1:] > _GATE * made.mean(2)[:, :-1]).sum()) / count for name, made in years.items()}
    caught = int((figures[:, _BEFORE:] > _GATE * figures[:, _BEFORE - 1 : -1]).any(axis=1).sum())
    yield "  pytest-benchmark, mean:5% against the night before", f"{_by_noise(gate)}; {_share(caught, trials)}"
    pinned = {name: float((made.mean(2)[:, 1:] > _GATE * made.mean(2)[:, :1]).sum()) / count for name, made in years.items()}
    fixed = int((figures[:, _BEFORE:] > _GATE * figures[:, :1]).any(axis=1).sum())
    yield "  pytest-benchmark, mean:5% against the first night", f"{_by_noise(pinned)}; {_share(fixed, trials)}"
    if otava is None:
        yield (
            "  Apache Otava",
            "skipped: python -m venv OTAVA && OTAVA/bin/pip install apache-otava, then --otava OTAVA/bin/python",
        )
        return
    for p in (1e-3, 1e-4, 1e-5, 1e-6, 1e-8):
        alarms = {name: sum(map(len, _otava(otava, made.mean(2).tolist(), p))) / count for name, made in years.items()}
        changes = _otava(otava, figures.tolist(), p)
        caught = sum(any(abs(at - _BEFORE) <= 5 for at in one) for one in changes)
        named = " (its default)" if p == 1e-3 else ""
        yield (
            f"  Apache Otava, p < {p:g}{named}, looked at once, at the year's end",
            f"{_by_noise(alarms)}; {_share(caught, trials)}",
        )


def _ours_found(planted: Sequence[tuple[object, ...]], random: np.random.Generator) -> int:
    hits = 0
    for points in planted:
        rest = [series_of(_P50.values(_BEFORE + _AFTER, random), drill=f"same/{at}") for at in range(99)]
        values = np.array([point.values for point in points])  # type: ignore[attr-defined]
        changes = judge([series_of(values, drill="planted"), *rest]).changes
        hits += any(change.series.drill == "planted" and int(change.night[-4:]) >= _BEFORE - 5 for change in changes)
    return hits


def _by_noise(figures: dict[str, float]) -> str:
    return ", ".join(f"{name} {figure:.3g}" for name, figure in figures.items())


def _otava(python: str, series: Sequence[Sequence[float]], p: float) -> list[list[int]]:
    asked = json.dumps({"series": series, "p": p})
    script = Path(__file__).with_name("otava_series.py")
    done = subprocess.run([python, "-I", str(script)], input=asked, capture_output=True, text=True, check=True)
    answer: list[list[int]] = json.loads(done.stdout)
    return answer


def _public(file: Path | None, otava: str | None) -> Rows:
    """TigerBeetle's throughput, as published in Otava's tests."""
    if file is None:
        yield "TigerBeetle's public series", "skipped: --tigerbeetle tests/tigerbeetle_test.py of Otava's source"
        return
    functions = [node for node in ast.parse(file.read_text()).body if isinstance(node, ast.FunctionDef)]
    (made,) = (node.body[-1] for node in functions if node.name == "_get_series")
    if not isinstance(made, ast.Return) or made.value is None:
        raise SystemExit(f"{file} does not hold the series in the form that is known here")
    values = np.array(ast.literal_eval(made.value), float)
    changes = judge([series_of(values[:, None], name="throughput", unit="1/s", better="higher")]).changes
    said = ", ".join(f"{int(change.night[-4:])} ({change.effect:+.1%}, {change.kind})" for change in reversed(changes))
    yield f"TigerBeetle's public series of {len(values)} nights: changes", said
    if otava is not None:
        yield "  Apache Otava", ", ".join(map(str, _otava(otava, [values.tolist()], 1e-3)[0]))


def _speed() -> Rows:
    """How long the largest history takes that we plan for."""
    values = 10 * np.exp(relative(KINDS["quiet"], (1000, 1000, 1), np.random.default_rng(SEEDS["speed"])))
    series = [series_of(one, drill=f"d/{at}") for at, one in enumerate(values)]
    began = time.perf_counter()
    judge(series)
    yield f"judging 1,000 nights of 1,000 series, seed {SEEDS['speed']}", f"{time.perf_counter() - began:.1f} s"


if __name__ == "__main__":
    main()
