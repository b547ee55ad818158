"""Convergence: until when reads returned values from before a fault was healed."""

from __future__ import annotations

import pytest

from harness.model.history import History
from harness.model.slo import SLO
from results.analysis.convergence import convergences
from results.analysis.judge import judge
from results.analysis.metrics import measure

MS = 1_000_000


def op(kind: str, value: str | None, sent_ms: int, key: str = "k", outcome: str = "ok") -> dict[str, object]:
    return {
        "client": sent_ms, "kind": kind, "key": key, "value": value, "outcome": outcome, "error": None,
        "sent_ns": sent_ms * MS, "done_ns": (sent_ms + 1) * MS,
    }  # fmt: skip


def final(row: dict[str, object]) -> dict[str, object]:
    return row | {"phase": "final"}


def window(injected_ms: int, healed_ms: int | None, label: str = "w0") -> dict[str, object]:
    return {
        "label": label, "fault": "Partition", "parameters": "{}", "selector": "one", "targets": "n1",
        "from_s": 0.0, "to_s": 1.0, "injected_ns": injected_ms * MS,
        "healed_ns": None if healed_ms is None else healed_ms * MS, "acted": True, "evidence": "",
    }  # fmt: skip


def history(*ops: dict[str, object], windows: list[dict[str, object]] | None = None) -> History:
    return History.of(sorted(ops, key=lambda row: int(str(row["sent_ns"]))), windows or [window(100, 200)])


def test_it_lasts_until_the_last_read_of_what_had_been_replaced_before_the_healing() -> None:
    found = convergences(
        history(op("write", "1", 10), op("write", "2", 120), op("read", "1", 150), op("read", "1", 230), op("read", "2", 240))
    )
    assert [(one.window, one.seconds, one.censored) for one in found] == [("w0", 0.03, False)]


def test_a_write_after_the_healing_is_another_matter() -> None:
    [found] = convergences(
        history(op("write", "1", 10), op("write", "2", 210), op("read", "1", 230), op("read", "1", 260), op("read", "2", 270))
    )
    assert (found.seconds, found.censored) == (0.0, False)


def test_a_key_that_was_never_read_up_to_date_gives_a_lower_bound() -> None:
    [found] = convergences(
        history(
            op("write", "1", 10), op("write", "2", 120), op("read", "1", 230),
            op("write", "3", 12, "other"), op("read", "3", 240, "other"),
        )
    )  # fmt: skip
    assert (found.seconds, found.censored) == (0.03, True)


def test_a_final_read_shows_that_it_came_to_an_end_and_is_no_part_of_it() -> None:
    ops = (op("write", "1", 10), op("write", "2", 120), op("read", "1", 230))
    [found] = convergences(history(*ops, final(op("read", "2", 900))))
    assert (found.seconds, found.censored) == (0.03, False)
    [found] = convergences(history(*ops, final(op("read", "1", 900))))
    assert (found.seconds, found.censored) == (0.03, True)


def test_each_key_that_lagged_has_to_be_read_up_to_date_in_the_end() -> None:
    ops = (
        op("write", "1", 10), op("write", "2", 120), op("read", "1", 220),
        op("write", "3", 12, "other"), op("write", "4", 122, "other"), op("read", "3", 230, "other"),
        op("read", "4", 240, "other"),
    )  # fmt: skip
    [found] = convergences(history(*ops, final(op("read", "1", 900))))
    assert (found.seconds, found.censored) == (0.03, True)
    [found] = convergences(history(*ops, final(op("read", "2", 900))))
    assert (found.seconds, found.censored) == (0.03, False)


def test_the_next_window_ends_the_watch_and_one_that_was_never_healed_has_none() -> None:
    found = convergences(
        history(
            op("write", "1", 10), op("write", "2", 120), op("read", "1", 250), op("read", "2", 260), op("read", "1", 400),
            windows=[window(100, 200), window(300, 380, "w1"), window(500, None, "w2")],
        )
    )  # fmt: skip
    assert [(one.window, one.seconds, one.censored) for one in found] == [("w0", 0.05, False), ("w1", 0.02, True)]


def test_the_next_window_ends_the_watch_even_if_it_was_never_healed() -> None:
    found = convergences(
        history(
            op("write", "1", 10), op("write", "2", 120), op("read", "1", 250), op("read", "2", 260), op("read", "1", 400),
            windows=[window(100, 200), window(300, None, "w1")],
        )
    )  # fmt: skip
    assert [(one.window, one.seconds, one.censored) for one in found] == [("w0", 0.05, False)]


def test_a_key_that_was_not_up_to_date_again_before_the_next_window_gives_a_lower_bound() -> None:
    found = convergences(
        history(
            op("write", "1", 10), op("write", "2", 120), op("read", "1", 250), op("read", "1", 350), op("read", "2", 400),
            windows=[window(100, 200), window(300, 380, "w1")],
        )
    )  # fmt: skip
    assert [(one.window, one.seconds, one.censored) for one in found] == [("w0", 0.05, True), ("w1", 0.0, False)]


@pytest.mark.parametrize(("text", "ok"), [("convergence < 40ms", True), ("convergence < 20ms", False)])
def test_it_is_an_slo(text: str, ok: bool) -> None:
    found = history(op("write", "1", 10), op("write", "2", 120), op("read", "1", 230), op("read", "2", 240))
    slo = SLO.parse(text)
    result = judge(slo, measure(found, [slo]))
    assert (result.ok, result.value, result.why) == (ok, 0.03, "observed 0.03 s")


def test_without_a_healed_fault_it_is_not_known() -> None:
    slo = SLO.parse("convergence < 1s")
    found = History.of([op("write", "1", 10), op("read", "1", 20)])
    assert judge(slo, measure(found, [slo])).ok is None
