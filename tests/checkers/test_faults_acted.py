"""Runs whose faults acted, and runs that prove nothing because one did not."""

from __future__ import annotations

import pytest

from harness.checkers.faults_acted import faults_acted
from tests.helpers.transcript import history


def window(acted: bool | None, evidence: str | None = "n1: exit code -9", targets: str = "n1") -> dict[str, object]:
    return {
        "label": "w0", "fault": "Kill", "selector": "one", "targets": targets, "from_s": 1.0, "to_s": 2.0,
        "injected_ns": 10**9, "healed_ns": 2 * 10**9, "acted": acted, "evidence": evidence,
    }  # fmt: skip


def test_no_fault_planned() -> None:
    verdict = faults_acted(history(""))
    assert (verdict.valid, verdict.why) == (True, "no fault was planned")


def test_all_acted() -> None:
    verdict = faults_acted(history("", windows=[window(True), window(True)]))
    assert (verdict.valid, verdict.why) == (True, "2 faults planned, and each was seen to act")


@pytest.mark.parametrize("acted", [False, None])
def test_one_that_did_not_act_makes_the_run_unknown(acted: bool | None) -> None:
    verdict = faults_acted(history("", windows=[window(True), window(acted, "n1: still running")]))
    assert (verdict.valid, verdict.why) == (None, "1 of 2 faults not seen to act: Kill on n1 (n1: still running)")


def test_each_idle_fault_is_told() -> None:
    verdict = faults_acted(history("", windows=[window(False, None, targets=""), window(None, "no permission")]))
    assert verdict.why == (
        '2 of 2 faults not seen to act: Kill on "one" (no evidence was gathered); Kill on n1 (no permission)'
    )
