"""The comparison of systems under the same faults, by the answers on each side of a partition."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.model.history import History
from harness.model.load import Load
from results.analysis.sides import Answered, calls_by_node, homes, parted
from results.record.store import save
from results.report.page import write_report
from results.report.side_by_side import comparisons
from tests.helpers.synthetic import concluded, window
from tests.helpers.transcript import history

BEFORE = """
    c0 write x 1       0..10    ok node=n1
    c1 read  x 1      20..30    ok node=n2
"""
PARTED = """
    c0 write x 2    1100..1110  ok node=n1
    c1 read  x 1    1300..1310  ok node=n2
    c1 write x 3    1500..1900  failed
    c0 read  x 2    1700..1710  ok node=n1
"""
AFTER = """
    c1 read  x 1    2200..2210  ok node=n2
    c1 read  x 2    2500..2510  ok node=n2
    c0 read  x 2    2900..2910  ok node=n1
"""
CUT = [window(1, 2, fault="Partition")]  # of n2


def of(*parts: str, windows: list[dict[str, object]] = CUT) -> History:
    return history("".join(parts), windows)


def test_each_side_is_told_what_it_was_given() -> None:
    found = of(BEFORE, PARTED, AFTER)
    (only,) = parted(calls_by_node(found), found.fault_windows, end_s=3)
    cut, rest = only.sides
    assert (cut.nodes, rest.nodes) == (("n2",), ("n1",))
    assert (cut.reads, cut.changes) == (Answered(calls=1, ok=1), Answered(calls=1, ok=0))
    assert (rest.reads, rest.changes) == (Answered(calls=1, ok=1), Answered(calls=1, ok=1))
    assert cut.silent_s == pytest.approx(0.69), "from the answer at 1.31 s to the end of the window"
    assert rest.silent_s == pytest.approx(0.60), "between the answers at 1.11 and 1.71 s"
    assert (cut.stale_reads, cut.stale_ms, cut.stale_versions) == (1, 190, 1)
    assert (rest.stale_reads, rest.stale_ms, rest.stale_versions) == (0, 0, 0)
    assert only.agreed_s == pytest.approx(0.2)


def test_an_answer_to_a_call_from_before_the_window_ends_the_silence() -> None:
    found = of(BEFORE, "c1 read x 1 900..1700 ok node=n2\n", "c0 write x 2 1100..1110 ok node=n1\n")
    (only,) = parted(calls_by_node(found), found.fault_windows, end_s=3)
    cut, _ = only.sides
    assert cut.silent_s == pytest.approx(0.7), "from the beginning of the window to the answer at 1.7 s"
    assert cut.reads == Answered(calls=0, ok=0), "it was sent before the window"


@pytest.mark.parametrize(
    ("after", "agreed_s"),
    [
        ("c1 read x 2 2200..2210 ok node=n2\nc1 read x 2 2600..2610 ok node=n2", 0.0),
        ("c1 read x 2 2100..2110 ok node=n2\nc1 read x 1 2200..2210 ok node=n2\nc1 read x 2 2800..2810 ok node=n2", 0.2),
        ("c1 read x 2 2100..2110 ok node=n2\nc1 read x 2 2600..2610 ok node=n2\nc1 read x 1 2800..2810 ok node=n2", 0.0),
        ("c1 read x 2 2200..2210 ok node=n2", None),
        ("c1 read x 1 2200..2210 ok node=n2", None),
        ("c1 read x 2 2100..2110 ok node=n2\nc1 read x 1 2700..2710 ok node=n2", None),
        ("c1 write x 9 2100..2110 ok node=n2", None),
    ],
)
def test_agreement_is_half_a_second_without_a_stale_read(after: str, agreed_s: float | None) -> None:
    found = of(BEFORE, PARTED, after)
    (only,) = parted(calls_by_node(found), found.fault_windows, end_s=3)
    assert only.agreed_s == (None if agreed_s is None else pytest.approx(agreed_s))


def test_what_comes_after_the_next_window_is_not_this_ones() -> None:
    twice = [window(1, 2, fault="Partition"), window(2.3, 2.4, label="w1", fault="Partition")]
    found = of(BEFORE, PARTED, AFTER, windows=twice)
    first, second = parted(calls_by_node(found), found.fault_windows, end_s=3)
    assert first.agreed_s is None, "the only read before the next window was stale"
    assert second.agreed_s == 0.0


def test_clients_that_move_from_node_to_node_have_no_side() -> None:
    assert homes(of(BEFORE)) == {0: "n1", 1: "n2"}
    assert homes(of(BEFORE, "c1 read x 1 40..50 ok node=n1")) == {}
    assert homes(of("c0 write x 1 0..10 ok node=n1")) == {}, "one node is no side either"


def test_only_runs_under_the_same_faults_are_compared() -> None:
    same = of(BEFORE, PARTED, AFTER)
    later = of(BEFORE, PARTED, AFTER, windows=[window(1, 2.1, fault="Partition")])
    runs = [(concluded(one, drill=name), one, name) for name, one in (("cap/a", same), ("cap/b", same), ("cap/c", later))]
    (shown,) = comparisons(runs)
    assert [system.name for system in shown.systems] == ["a", "b"]
    assert comparisons(runs[1:]) == []


def test_each_run_of_one_drill_has_its_rows() -> None:
    found = of(BEFORE, PARTED, AFTER)
    (shown,) = comparisons([(concluded(found, drill="cap/a", seed=seed), found, f"run-{seed}") for seed in (1, 2)])
    assert [system.name for system in shown.systems] == ["a, seed 1", "a, seed 2"]
    (table,) = shown.tables
    assert [row.cells[0] for row in table.rows] == ["a, seed 1", "", "a, seed 2", ""]


@pytest.mark.usefixtures("undrawn")
def test_the_page_shows_them_in_lanes_and_figures(tmp_path: Path) -> None:
    found = of(BEFORE, PARTED, AFTER)
    for name in ("cap/left", "cap/right"):
        save(tmp_path / name, concluded(found, drill=name), found)
    write_report([tmp_path / "cap/left", tmp_path / "cap/right"], tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text()
    assert page.count('aria-label="n2: 2 ok, 2 stale, 1 failed"') == 1 + 1
    assert "Partition n2, 1 to 2 s" in page
    assert "190 ms, 1 version<" in page
    assert "after 0.20 s" in page


def test_a_sticky_client_reaches_one_node() -> None:
    entries = {f"n{number}": ("127.0.0.1", number) for number in (1, 2, 3)}
    load = Load(rate=1, seconds=1, sticky=True)
    assert [list(load.reached(client, entries)) for client in range(4)] == [["n1"], ["n2"], ["n3"], ["n1"]]
    assert Load(rate=1, seconds=1).reached(1, entries) == entries
