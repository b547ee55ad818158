"""One verdict from many, and its JSON form."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.model.errors import UsageError
from results.analysis.judge import SLOResult
from results.record.result import CheckResult, Result, decode, encode, exit_code, suite_exit_code, verdict_of
from tests.helpers.synthetic import concluded, crash

CHECKS = {valid: CheckResult(name="linearizable", valid=valid, why="…") for valid in (True, False, None)}
SLOS = {ok: SLOResult(text="p99 < 1s", value=1.0, ok=ok, why="…") for ok in (True, False, None)}


@pytest.mark.parametrize(
    ("checks", "slos", "verdict"),
    [
        ([], [], "unknown"),
        ([True, True], [True], "pass"),
        ([True, False, None], [False, None], "fail"),
        ([True, None], [False], "unknown"),
        ([True], [True, False, None], "slo"),
        ([True], [True, None], "unknown"),
    ],
)
def test_the_gravest_finding_decides(checks: list[bool | None], slos: list[bool | None], verdict: str) -> None:
    assert verdict_of([CHECKS[valid] for valid in checks], [SLOS[ok] for ok in slos]) == verdict


TRI = st.sampled_from([True, False, None])


@given(st.lists(TRI), st.lists(TRI))
def test_only_all_good_passes(checks: list[bool | None], slos: list[bool | None]) -> None:
    passed = verdict_of([CHECKS[valid] for valid in checks], [SLOS[ok] for ok in slos]) == "pass"
    assert passed == (bool(checks or slos) and all(checks) and all(slos))


@pytest.mark.parametrize(("verdict", "code"), [("pass", 0), ("fail", 1), ("slo", 3), ("unknown", 4)])
def test_exit_codes(verdict: str, code: int) -> None:
    assert exit_code([concluded(crash(), verdict=verdict)]) == code


@pytest.mark.parametrize(
    ("verdict", "linearizable", "code"),
    [("fail", False, 0), ("fail", True, 1), ("pass", True, 1), ("unknown", None, 4), ("slo", True, 3)],
)
def test_a_known_fault_must_be_caught_by_the_check_named(verdict: str, linearizable: bool | None, code: int) -> None:
    result = concluded(
        crash(),
        verdict=verdict,
        checks=(CHECKS[linearizable], CheckResult(name="other", valid=verdict != "fail", why="…")),
        expected="fail",
        caught_by="linearizable",
    )
    assert suite_exit_code([result]) == code
    assert result.as_expected == (code == 0)


@pytest.mark.parametrize(
    ("verdicts", "code"),
    [
        ([], 0),
        (["pass", "pass"], 0),
        (["pass", "unknown"], 4),
        (["unknown", "slo"], 4),
        (["slo", "pass"], 3),
        (["slo", "fail", "unknown"], 1),
    ],
)
def test_the_exit_code_of_several_runs_is_that_of_the_gravest(verdicts: list[str], code: int) -> None:
    results = [concluded(crash(), verdict=verdict) for verdict in verdicts]
    assert exit_code(results) == suite_exit_code(results) == code


def test_json_round_trip() -> None:
    result = concluded(crash())
    assert decode(encode(result), "here") == result


def test_json_has_what_scripts_rely_on() -> None:
    found = json.loads(encode(concluded(crash())))
    assert {"drill", "seed", "verdict", "checks", "slos", "metrics", "faults", "rerun"} <= set(found)
    assert {"name", "valid", "why"} <= set(found["checks"][0])
    assert {"text", "value", "ok"} <= set(found["slos"][0])
    names = {"requests", "rate_per_s", "p50_ms", "p99_ms", "p999_ms", "max_ms", "availability", "recovery_s"}
    assert names <= set(found["metrics"])
    assert {"kind", "targets", "from_s", "to_s", "acted", "evidence"} <= set(found["faults"][0])


def test_nothing_measured_is_null() -> None:
    history = crash()
    metrics = json.loads(encode(concluded(type(history).of(history.ops.iloc[:0]))))["metrics"]
    assert metrics["p99_ms"] is metrics["availability"] is metrics["recovery_s"] is None


@pytest.mark.parametrize("text", [b"", b"{}", b"[1]", b"\xff", b'{"drill": 3}', encode(concluded(crash()))[:-40]])
def test_what_is_no_result_is_refused_by_name(text: bytes) -> None:
    with pytest.raises(UsageError, match=r"^here is not a run's result: "):
        decode(text, "here")


@given(st.text(), st.text(), st.lists(st.integers(0, 2**40)))
def test_any_text_survives(title: str, why: str, ops: list[int]) -> None:
    result = msgspec.structs.replace(
        concluded_once, title=title, checks=(CheckResult(name="x", valid=False, why=why, ops=tuple(ops)),)
    )
    assert decode(encode(result), "here") == result


concluded_once: Result = concluded(crash())
