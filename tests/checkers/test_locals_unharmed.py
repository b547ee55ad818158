"""The checker finds an outage that spreads from one region to the next."""

from __future__ import annotations

import pytest

from harness.checkers.locals_unharmed import applies, locals_unharmed
from harness.model.history import History
from tests.helpers.synthetic import window
from tests.helpers.transcript import history


def told(*, eu: str = "failed", us: str = "ok", calls: int = 120, targets: str = "eu-r1 eu-r2") -> History:
    """Client 0 is in eu and client 1 in us; during the fault, their calls have these outcomes."""
    before = ["c0 predict 1 x 0..10 ok node=eu-r1", "c1 predict 1 x 0..10 ok node=us-r1"]
    during = [
        line
        for number in range(calls)
        for line in (
            f"c0 predict 1 x {1000 + number * 8}..{1004 + number * 8} {eu} node=us-r2",
            f"c1 predict 1 x {1000 + number * 8}..{1004 + number * 8} {us} node=us-r1",
        )
    ]
    return history("\n".join(before + during), [{**window(0.9, 2.0), "targets": targets}])


def test_users_of_the_region_that_was_hit_may_be_refused() -> None:
    found = locals_unharmed(told())
    assert found.valid is True
    assert found.why == "0 calls of 120 not done while faults held, of clients of us"


@pytest.mark.parametrize("outcome", ["failed", "unknown"])
def test_users_of_another_region_may_not(outcome: str) -> None:
    found = locals_unharmed(told(us=outcome))
    assert found.valid is False
    assert found.why == "120 calls of 120 not done while faults held, of clients of us, which no fault hit"
    assert len(found.ops) == 120


@pytest.mark.parametrize(("lost", "valid"), [(1, True), (2, False)])
def test_one_call_in_a_hundred_may_be_lost(lost: int, valid: bool) -> None:
    found = told()
    found.ops.loc[found.ops.index[found.ops["client"] == 1][5 : 5 + lost], "outcome"] = "failed"
    assert locals_unharmed(found).valid is valid


@pytest.mark.parametrize("targets", ["us-r1", "us", "eu-r1 us-r2", "us>eu"])
def test_a_region_is_hit_by_any_of_its_nodes_and_their_links(targets: str) -> None:
    assert locals_unharmed(told(eu="ok", us="failed", targets=targets)).valid in (True, None)


def test_a_link_does_not_hit_the_region_that_it_leads_to() -> None:
    assert locals_unharmed(told(us="failed", targets="eu>us")).valid is False


@pytest.mark.parametrize(("from_ms", "to_ms", "valid"), [(1000, 1050, False), (3000, 3500, True)])
def test_what_happens_between_faults_does_not_count(from_ms: int, to_ms: int, valid: bool) -> None:
    lines = ["c1 predict 1 x 0..10 ok node=us-r1"]
    for at_ms in range(1000, 9000, 8):
        outcome = "failed" if from_ms <= at_ms < to_ms else "ok"
        lines.append(f"c1 predict 1 x {at_ms}..{at_ms + 4} {outcome} node=us-r1")
    windows = [{**window(from_s, to_s), "targets": "eu-r1"} for from_s, to_s in ((0.9, 2.0), (8.0, 9.0))]
    assert locals_unharmed(history("\n".join(lines), windows)).valid is valid


def test_too_little_is_unknown() -> None:
    assert locals_unharmed(told(calls=50)).valid is None
    assert locals_unharmed(told(targets="eu us")).valid is None
    assert locals_unharmed(history("c0 predict 1 x 0..10 ok node=eu-r1")).valid is None


def test_it_applies_to_nodes_that_lie_in_regions() -> None:
    assert applies(told())
    assert not applies(history("c0 read x 1 0..10 ok node=n1\nc1 read x 1 0..10 ok node=n2", [window(0, 1)]))
