"""Runs whose faults acted, and runs that prove nothing because one did not."""

from __future__ import annotations

import pytest

from harness.checkers.faults_acted import faults_acted
from tests.helpers.transcript import history

CALLS = "".join(f"c1 read x null {at_ms}..{at_ms + 1} ok\n" for at_ms in range(0, 3000, 100))


def window(acted: bool | None, evidence: str | None = "n1: exit code -9", targets: str = "n1") -> dict[str, object]:
    return {
        "label": "w0", "fault": "Kill", "selector": "one", "targets": targets, "from_s": 1.0, "to_s": 2.0,
        "injected_ns": 10**9, "healed_ns": 2 * 10**9, "acted": acted, "evidence": evidence,
    }  # fmt: skip


def test_no_fault_planned() -> None:
    verdict = faults_acted(history(""))
    assert (verdict.valid, verdict.why) == (True, "no fault was planned")


def test_all_acted() -> None:
    verdict = faults_acted(history(CALLS, windows=[window(True), window(True)]))
    assert (verdict.valid, verdict.why) == (True, "2 faults planned, and each was seen to act")


@pytest.mark.parametrize("acted", [False, None])
def test_one_that_did_not_act_makes_the_run_unknown(acted: bool | None) -> None:
    verdict = faults_acted(history(CALLS, windows=[window(True), window(acted, "n1: still running")]))
    assert (verdict.valid, verdict.why) == (None, "1 of 2 faults not seen to act: Kill on n1 (n1: still running)")


def test_each_idle_fault_is_told() -> None:
    verdict = faults_acted(history(CALLS, windows=[window(False, None, targets=""), window(None, "no permission")]))
    assert verdict.why == (
        '2 of 2 faults not seen to act: Kill on "one" (no evidence was gathered); Kill on n1 (no permission)'
    )


def held(from_ms: int, to_ms: int) -> dict[str, object]:
    return window(True) | {"injected_ns": from_ms * 1_000_000, "healed_ns": to_ms * 1_000_000}


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (window(True) | {"injected_ns": None, "healed_ns": None}, "it was never injected"),
        (window(True) | {"healed_ns": None}, "it was never healed"),
        (
            held(4000, 5000),
            "no call was due or under way while it held from 4.00 to 5.00 s; the load lasted from 0.00 to 2.90 s",
        ),
        (
            held(1010, 1090),
            "no call was due or under way while it held from 1.01 to 1.09 s; the load lasted from 0.00 to 2.90 s",
        ),
    ],
)
def test_a_window_that_met_no_call_shows_nothing(change: dict[str, object], why: str) -> None:
    verdict = faults_acted(history(CALLS, windows=[window(True), change]))
    assert (verdict.valid, verdict.why) == (None, f"1 of 2 faults not seen to act: Kill on n1 ({why})")


def test_without_a_load_no_fault_acts() -> None:
    verdict = faults_acted(history(CALLS.replace("ok", "ok final"), windows=[window(True)]))
    assert verdict.why.endswith("Kill on n1 (it held from 1.00 to 2.00 s, and the load made no call)")
    assert verdict.valid is None


@pytest.mark.parametrize("call", ["1020..1080", "900..1020", "900..1200", "1080..1200"])
def test_a_call_that_is_under_way_meets_a_fault(call: str) -> None:
    assert faults_acted(history(f"c1 read x null {call} ok", windows=[held(1010, 1090)])).valid is True


def test_a_call_that_waits_for_a_client_is_due_all_the_while() -> None:
    found = history("c1 read x null 1200..1300 ok ready=1200", windows=[held(1010, 1090)])
    assert faults_acted(found).valid is None
    waiting = type(found).of(found.ops.assign(due_ns=1_000_000_000), windows=found.windows)
    assert faults_acted(waiting).valid is True
