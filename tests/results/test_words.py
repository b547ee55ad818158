"""A result's words and figures, as people read them."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from results.analysis.metrics import Metrics
from results.analysis.recovery import Recovery
from results.report.nightly_phrasing import amount
from results.report.phrasing import key_figures, milliseconds, operation, recovery, share
from results.trends.series import Metric
from tests.helpers.synthetic import concluded, crash


@pytest.mark.parametrize(
    ("value", "expected", "shown"),
    [
        ("17", None, "read k3 = 17"),
        ("17", "17", "read k3 = 17"),
        ("16", "17", "read k3 = 16, expected 17"),
        ("16", '["16","17"]', 'read k3 = 16, expected ["16","17"]'),
        ("1.0", "1", "read k3 = 1.0, expected 1"),
        (pd.NA, "17", "read k3"),
        (pd.NA, pd.NA, "read k3"),
        (None, None, "read k3"),
        ("", "17", "read k3 = , expected 17"),
        ("x" * 100, None, f"read k3 = {'x' * 39}…"),
    ],
)
def test_an_operation_in_short(value: object, expected: object, shown: str) -> None:
    assert operation("read", "k3", value, expected) == shown


def test_an_operation_without_a_key() -> None:
    assert [operation("read", "", value, None) for value in ("17", None)] == ["read = 17", "read"]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "–"),
        (0.0, "0 ms"),
        (1e-5, "10 ns"),
        (0.01234, "0.0123 ms"),
        (999.4, "999 ms"),
        (999.6, "1,000 ms"),
        (12345.6, "12,346 ms"),
    ],
)
def test_milliseconds(value: float | None, shown: str) -> None:
    assert milliseconds(value) == shown


@pytest.mark.parametrize(
    ("unit", "value", "shown"),
    [
        ("1/s", 12345.6, "12,346/s"),
        ("1/s", 123.456, "123.5/s"),
        ("MiB", 1234.5, "1,234 MiB"),
        ("MiB", 999.7, "1,000 MiB"),
        ("MiB", 97.31, "97.3 MiB"),
        ("s", 0.0123456, "0.0123 s"),
    ],
)
def test_a_figure_of_a_night_has_all_digits_before_the_point(unit: str, value: float, shown: str) -> None:
    assert amount(Metric(name="figure", unit=unit, better="lower"), value) == shown


@pytest.mark.parametrize(("value", "shown"), [(None, "–"), (0.0, "0 %"), (0.5, "50 %"), (0.99996, "99.996 %"), (1.0, "100 %")])
def test_share(value: float | None, shown: str) -> None:
    assert share(value) == shown


@given(st.integers(1, 10**9), st.data())
def test_a_share_is_100_percent_only_where_nothing_is_missing(calls: int, data: st.DataObject) -> None:
    done = data.draw(st.integers(0, calls) | st.integers(max(calls - 3, 0), calls))
    assert (share(done / calls) == "100 %") == (done == calls)


@pytest.mark.parametrize(
    ("recovery_s", "censored", "shown"), [(None, False, "–"), (0.0, False, "0 s"), (0.6, False, "0.6 s"), (3.0, True, "≥ 3 s")]
)
def test_recovery(recovery_s: float | None, censored: bool, shown: str) -> None:
    metrics = Metrics(
        requests=1, rate_per_s=1.0, p50_ms=1.0, p99_ms=1.0, p999_ms=1.0, max_ms=1.0, availability=1.0, recovery_s=recovery_s,
        recovery_censored=censored,
    )  # fmt: skip
    assert recovery(metrics) == shown


@pytest.mark.parametrize(
    ("recoveries", "told"),
    [
        ([(3.0, False), (1.0, False)], "recovered in 3 s"),
        ([(1.0, False), (3.0, True)], "not recovered within 3 s"),
        ([(3.0, False), (1.0, True)], "recovered in 3 s or more"),
    ],
)
def test_the_slowest_of_several_recoveries(recoveries: list[tuple[float, bool]], told: str) -> None:
    found = tuple(
        Recovery(window=f"w{number}", seconds=seconds, censored=censored)
        for number, (seconds, censored) in enumerate(recoveries)
    )
    result = concluded(crash())
    metrics = replace(result.metrics, recovery_s=3.0, recovery_censored=any(censored for _, censored in recoveries))
    assert key_figures(msgspec.structs.replace(result, metrics=metrics, recoveries=found))[-1] == told
