"""SLO texts: their meaning, and the messages for wrong ones."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.model.errors import UsageError
from harness.model.slo import SLO


@pytest.mark.parametrize(
    ("text", "metric", "comparison", "threshold"),
    [
        ("p99 < 100ms", "p99", "<", 100.0),
        ("p99.9 <= 1.5s", "p99.9", "<=", 1500.0),
        ("p50<250us", "p50", "<", 0.25),
        ("p50 < 250 µs", "p50", "<", 0.25),
        ("p99.90 < 1ms", "p99.9", "<", 1.0),
        ("p5 < 1ms", "p5", "<", 1.0),
        ("availability >= 99.99%", "availability", ">=", 0.9999),
        ("availability >= 100%", "availability", ">=", 1.0),
        ("recovery < 2s", "recovery", "<", 2.0),
        ("recovery < 500ms", "recovery", "<", 0.5),
        ("rate >= 1000/s", "rate", ">=", 1000.0),
        ("rate > 100k/s", "rate", ">", 100_000.0),
        ("rate > 1.5M/s", "rate", ">", 1_500_000.0),
        ("max < 1s", "max", "<", 1000.0),
        ("requests >= 100", "requests", ">=", 100.0),
        ("  requests >= 1k ", "requests", ">=", 1000.0),
    ],
)
def test_reads(text: str, metric: str, comparison: str, threshold: float) -> None:
    slo = SLO.parse(text)
    assert (slo.metric, slo.comparison, slo.threshold) == (metric, comparison, threshold)
    assert slo.text == text.strip()


@pytest.mark.parametrize(
    ("text", "under", "expected"),
    [
        ("", "", "a metric"),
        ("p999 < 1ms", "p999", "did you mean 'p99.9'?"),
        ("P99 < 1ms", "P99", "did you mean 'p99'?"),
        ("p0 < 1ms", "p0", "a metric"),
        ("p100 < 1ms", "p100", "a metric"),
        ("p99.99999999999999999 < 1ms", "p99.99999999999999999", "a metric"),
        ("avialability > 1%", "avialability", "did you mean 'availability'?"),
        ("weather < 1ms", "weather", "a metric (p50, p90"),
        ("p99", "", "< or <="),
        ("p99 > 1ms", "> 1ms", "< or <= (lower p99 is better)"),
        ("availability < 99%", "< 99%", "> or >="),
        ("p99 == 1ms", "== 1ms", "< or <="),
        ("p99 ≤ 1ms", "≤ 1ms", "< or <="),
        ("p99 <", "", "a number, such as 100ms"),
        ("p99 < fast", "fast", "a number"),
        ("p99 < -1ms", "-1ms", "a number"),
        ("p99 < 1.2.3ms", "1.2.3ms", "a number"),
        ("p99 < ١ms", "١ms", "a number"),
        ("p99 < 1e3ms", "e3ms", "the unit of p99"),
        ("p99 < 100", "", "'ms'"),
        ("p99 < 100%", "%", "'ms'"),
        ("availability >= 0.99", "", "'%'"),
        ("availability >= 101%", "101%", "at most 100%"),
        ("rate >= 5", "", "'/s'"),
        ("requests >= 5/s", "/s", "no unit or 'k' or 'M'"),
        ("p99 < 1ms and more", "and more", "nothing after the threshold"),
    ],
)
def test_points_at_what_is_wrong(text: str, under: str, expected: str) -> None:
    with pytest.raises(UsageError) as caught:
        SLO.parse(text)
    line, shown, caret = str(caught.value).split("\n")
    assert expected in line
    assert line.endswith((".", "?")) and not line.endswith("?.")
    assert repr(text) in line
    column = caret.index("^")
    assert shown[column:].startswith(under)
    if not under:
        assert shown[column:] == ""


@given(st.text(max_size=30) | st.text(alphabet="p9.max <>=rate/sk%m0\n\t", max_size=30))
def test_any_text_parses_or_is_explained(text: str) -> None:
    try:
        slo = SLO.parse(text)
    except UsageError as error:
        caret = str(error).split("\n")[-1]
        assert caret.strip() == "^"
        assert caret.index("^") - 4 <= len(text)
    else:
        assert slo.threshold >= 0
        assert SLO.parse(slo.text) == slo


@pytest.mark.parametrize(
    ("text", "below", "equal", "above"),
    [
        ("p99 < 10ms", True, False, False),
        ("p99 <= 10ms", True, True, False),
        ("requests > 10", False, False, True),
        ("requests >= 10", False, True, True),
    ],
)
def test_holds(text: str, below: bool, equal: bool, above: bool) -> None:
    slo = SLO.parse(text)
    assert (slo.holds(9.9), slo.holds(10), slo.holds(10.1)) == (below, equal, above)


def test_a_share_equals_the_percentage_it_was_written_as() -> None:
    assert SLO.parse("availability >= 99.99%").holds(9999 / 10000)
    assert not SLO.parse("availability >= 99.99%").holds(9998 / 10000)


def test_percentile() -> None:
    assert SLO.parse("p99.9 < 1s").percentile == 99.9
    assert SLO.parse("max < 1s").percentile is None


def test_the_nouns_import_it_without_pandas() -> None:
    code = "import sys, harness.model.slo; sys.exit('pandas' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
