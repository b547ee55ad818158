"""The nights' page: its compact data, and its text."""

from __future__ import annotations

import base64
import gzip
import re
from itertools import accumulate
from pathlib import Path

import msgspec
import numpy as np
import pytest

from results.report.nightly_data import Chart, Data, Source, data_of
from results.report.nightly_page import write_nightly_page
from results.trends.findings import Finding
from results.trends.judging import judge
from results.trends.nightly import Nightly
from tests.helpers.outcomes import DRILL, HOSTILE, figures, missed, moved, night, nights, run, steady


def chart_of(values: list[float], *others: list[float], changes: tuple[Finding, ...] = ()) -> Chart:
    """The chart of a metric over consecutive baselines."""
    series, first = [], 0
    for part in (values, *others):
        series.append(figures(part, first=first))
        first += len(part)
    last = series[-1]
    source = Source(
        nights=nights([[run()]] * first), series={DRILL: series}, changes={(DRILL, "p50", last.baseline): changes}, links={}
    )
    (row,) = data_of(source, [DRILL]).rows
    (chart,) = row.charts
    return chart


def test_a_chart_holds_every_recent_night_to_a_hundredth() -> None:
    values = steady(80, level=123.456)
    (part,) = (chart := chart_of(values)).parts
    assert list(accumulate(part.at)) == list(range(80))
    assert np.array(list(accumulate(part.mid))) * chart.quantum == pytest.approx(values, rel=0.005)
    assert part.below == part.above == []


def test_of_many_nights_old_ones_are_grouped_and_no_extreme_is_lost() -> None:
    values = steady(1000)
    values[123], values[456] = 50.0, 0.5
    (part,) = (chart := chart_of(values)).parts
    at, mid = (np.array(list(accumulate(each))) for each in (part.at, part.mid))
    assert len(at) <= 90 + 92
    assert list(at[-90:]) == list(range(910, 1000))
    assert list(at) == sorted(set(at))
    assert float((mid + part.above).max()) * chart.quantum == pytest.approx(50, rel=0.01)
    assert float((mid - part.below).min()) * chart.quantum == pytest.approx(0.5, rel=0.01)


def test_a_quiet_share_is_drawn_finely_enough() -> None:
    series = figures([0.9995 + 0.0001 * (number % 3) for number in range(20)], name="availability", unit="")
    source = Source(nights=nights([[run()]] * 20), series={DRILL: [series]}, changes={}, links={})
    assert data_of(source, [DRILL]).rows[0].charts[0].quantum <= 1e-5


@pytest.mark.parametrize("last", [0.9996, 0.9999996, 1 - 1e-8])
def test_a_share_that_lacks_a_little_in_one_night_is_not_drawn_as_whole(last: float) -> None:
    series = figures([1.0] * 29 + [last], name="availability", unit="")
    source = Source(nights=nights([[run()]] * 30), series={DRILL: [series]}, changes={}, links={})
    chart = data_of(source, [DRILL]).rows[0].charts[0]
    values = [value * chart.quantum for value in accumulate(chart.parts[0].mid)]
    assert values == pytest.approx([1.0] * 29 + [last], abs=(1 - last) / 5)


def test_constant_figures_and_figures_of_nothing_can_be_drawn() -> None:
    for level in (0.0, 7.0):
        assert len(set(accumulate(chart_of([level] * 5).parts[0].mid))) == 1


def test_baselines_are_parts_the_last_one_last_and_levels_end_at_changes() -> None:
    chart = chart_of(steady(10, 5.0), [*steady(10, 3.0), *steady(4, 9.0)], changes=(shift(20),))
    assert [sum(part.at[:1]) for part in chart.parts] == [0, 10]
    assert chart.moves == [20]
    levels = [(begin, end, value * chart.quantum) for begin, end, value, _ in chart.levels]
    assert levels == [(10, 19, pytest.approx(3.0, rel=0.02)), (20, 23, pytest.approx(9.0, rel=0.02))]


def shift(at: int) -> Finding:
    name = night(at).name
    return Finding(
        series=figures(steady(30)), kind="shift", night=name, seen=name, before=3, after=9, effect=2.0, interval=(1.9, 2.1),
        p_adjusted=0.001, worse=True,
    )  # fmt: skip


def test_the_matrix_has_a_letter_a_night_and_causes_for_what_is_no_pass() -> None:
    history = nights([[run()], [missed()], [run("fail", why="k3 lost")], [run("unknown", why="late")], [], [run(), missed()]])
    history += [night(6, run(), run("unknown", why="linearizable: too many orders"))]
    source = Source(nights=history, series={}, changes={}, links={})
    data = data_of(source, [DRILL])
    assert data.rows[0].cells == "psfu mu"
    told = {at: data.causes[cause] for at, cause in data.rows[0].why.items()}
    assert told == {
        1: "p99 < 50ms: observed 60ms",
        2: "k3 lost",
        3: "late",
        5: "1 of 2 runs: p99 < 50ms: observed 60ms",
        6: "1 of 2 runs: linearizable: too many orders",
    }


def written(nightly: Nightly, folder: Path) -> str:
    write_nightly_page(nightly, folder / "page.html")
    return (folder / "page.html").read_text(encoding="utf-8")


def test_the_page_is_one_file_and_shows_texts_as_texts(tmp_path: Path) -> None:
    text = written(moved(), tmp_path)
    assert not re.search(r"(src|href)=.?(https?:)?//", text)
    assert HOSTILE not in text
    assert "&lt;script&gt;alert(1)" in text
    packed = re.search(r'id="nights">([^<]*)<', text)
    assert packed
    data = msgspec.json.decode(gzip.decompress(base64.b64decode(packed.group(1))), type=Data)
    assert data.nights[-1] == "2026-01-13"
    assert [row.drill for row in data.rows] == [DRILL]


def test_the_page_does_not_say_that_nothing_moved_if_nothing_could_be_compared(tmp_path: Path) -> None:
    few, enough = (
        written(Nightly(nights=nights([[run()]] * count), findings=judge([figures(steady(count))])), tmp_path)
        for count in (2, 6)
    )
    assert "Every run of the last night ended as expected.</p>" in few
    assert "Every run of the last night ended as expected, and no figure moved.</p>" in enough


def test_a_run_is_linked_only_if_its_page_is_there(tmp_path: Path) -> None:
    folders = [str(tmp_path / "runs" / name) for name in ("50%_lost", "2")]
    (tmp_path / "runs" / "50%_lost").mkdir(parents=True)
    (tmp_path / "runs" / "50%_lost" / "report.html").touch()
    history = nights([[run("fail", why="lost", run_dir=folder) for folder in folders]])
    text = written(Nightly(nights=history, findings=judge([])), tmp_path)
    assert 'href="runs/50%25_lost/report.html"' in text
    assert "runs/2" not in text


@pytest.mark.slow
def test_many_nights_make_a_small_page(tmp_path: Path) -> None:
    """A hundredth of the benchmark's size, plus what does not grow with the history."""
    series = [figures(list(3 * np.exp(np.random.default_rng(seed).normal(0, 0.02, 1000)))) for seed in range(10)]
    text = written(Nightly(nights=nights([[run()]] * 1000), findings=judge(series[:1])), tmp_path)
    assert len(text) < 60_000
