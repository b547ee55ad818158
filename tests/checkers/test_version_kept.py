"""Replicas that keep their version, that are told to change it, and that change it by themselves."""

from __future__ import annotations

import pytest

from harness.checkers.version_kept import applies, version_kept
from harness.model.history import History
from harness.model.verdict import Verdict
from tests.helpers.transcript import history

OLD = '{"label":7,"score":0.9,"model":"old"}'
NEW = '{"label":1,"score":0.8,"model":"new"}'
NS_PER_MS = 1_000_000


def asked(value: str, span_ms: str, node: str = "r1") -> str:
    return f"c1 predict 3 {value} {span_ms} ok node={node}\n"


def event(kind: str, at_ms: int, node: str = "r1") -> dict[str, object]:
    return {"at_ns": at_ms * NS_PER_MS, "node": node, "kind": kind, "detail": "pid 1"}


STARTED = (event("started", -100), event("started", -100, "r2"))


def reload(
    from_ms: int, to_ms: int, *, acted: bool | None = True, refused: bool = False, fault: str = "Reload", targets: str = "r1"
) -> dict[str, object]:
    return {
        "label": f"w{from_ms} {targets}", "fault": fault, "parameters": f'{{"version":"v2","refused":{str(refused).lower()}}}',
        "selector": "all", "targets": targets, "from_s": from_ms / 1e3, "to_s": to_ms / 1e3,
        "injected_ns": from_ms * NS_PER_MS, "healed_ns": to_ms * NS_PER_MS, "acted": acted,
    }  # fmt: skip


def told(ops: str, *more: dict[str, object]) -> History:
    """A history with these windows and events."""
    windows, events = [one for one in more if "fault" in one], [one for one in more if "kind" in one]
    return History.of(history(ops).ops, windows=windows, events=[*STARTED, *events])


def judged(ops: str, *more: dict[str, object]) -> Verdict:
    return version_kept(told(ops, *more))


@pytest.mark.parametrize(
    ("ops", "more"),
    [
        pytest.param(asked(OLD, "0..5") + asked(OLD, "10..15"), [], id="one version"),
        pytest.param(asked(OLD, "0..5") + asked(NEW, "10..15", "r2"), [], id="each its own"),
        pytest.param(asked(OLD, "0..5") + asked(NEW, "30..35"), [reload(10, 20)], id="reloaded"),
        pytest.param(
            asked(OLD, "0..5") + asked(NEW, "11..12") + asked(OLD, "13..14") + asked(NEW, "30..35"), [reload(10, 20)],
            id="while it is reloaded",
        ),
        pytest.param(asked(OLD, "0..15") + asked(NEW, "5..11") + asked(OLD, "15..30"), [reload(10, 20)], id="under way"),
        pytest.param(
            asked(OLD, "0..5") + asked(NEW, "30..35") + asked(OLD, "50..55"), [reload(10, 20), reload(40, 45)], id="twice"
        ),
        pytest.param(
            asked(OLD, "0..5") + asked(NEW, "30..35"), [event("killed", 10), event("started", 20)], id="started again"
        ),
        pytest.param(
            asked(OLD, "0..5") + asked(NEW, "15..18") + asked(NEW, "30..35"), [event("killed", 10), event("started", 20)],
            id="answers before it was seen to be up",
        ),
        pytest.param(asked(OLD, "0..5") + asked(NEW, "30..35"), [event("started", 20)], id="its end was not seen"),
        pytest.param(asked(OLD, "0..5") + asked(NEW, "30..35"), [event("died", 20)], id="its start was not seen"),
        pytest.param(
            asked(OLD, "0..5") + asked(OLD, "30..35") + asked(NEW, "40..45"), [reload(10, 20, acted=False)],
            id="takes a lost request later",
        ),
        pytest.param(
            asked(OLD, "0..5") + asked(OLD, "30..35") + asked(NEW, "40..45"), [reload(10, 20, refused=True)],
            id="takes one that was to be refused later",
        ),
    ],
)  # fmt: skip
def test_accepts(ops: str, more: list[dict[str, object]]) -> None:
    verdict = judged(ops, *more)
    assert verdict.valid is True, verdict.why


@pytest.mark.parametrize(
    ("ops", "more", "shown"),
    [
        pytest.param(asked(OLD, "0..5") + asked(NEW, "10..15"), [], (0, 1), id="by itself"),
        pytest.param(
            asked(OLD, "0..5") + asked(NEW, "30..35") + asked(OLD, "40..45"), [reload(10, 20)], (1, 2), id="back to the old one"
        ),
        pytest.param(asked(OLD, "0..5") + asked(NEW, "6..9"), [reload(10, 20)], (0, 1), id="before it is told to"),
        pytest.param(
            asked(OLD, "0..5") + asked(NEW, "30..35"), [reload(10, 20, targets="r2")], (0, 1), id="another one is told to"
        ),
        pytest.param(asked(OLD, "0..5") + asked(NEW, "30..35"), [reload(10, 20, fault="FlipBits")], (0, 1), id="another fault"),
        pytest.param(
            asked(OLD, "0..5") + asked(NEW, "30..35"), [event("started", 20, "r2")], (0, 1), id="another one starts again"
        ),
        pytest.param(
            asked(NEW, "30..35") + asked(OLD, "40..45"), [reload(1, 2, acted=False), reload(10, 20)], (0, 1),
            id="after one that acted",
        ),
    ],
)  # fmt: skip
def test_refuses(ops: str, more: list[dict[str, object]], shown: tuple[int, int]) -> None:
    verdict = judged(ops, *more)
    assert (verdict.valid, verdict.ops) == (False, shown), verdict.why


def both(*, r2: str) -> str:
    """r1 has loaded the new version; what r2 answers after that."""
    return asked(OLD, "0..5") + asked(OLD, "0..5", "r2") + asked(NEW, "30..35") + asked(r2, "30..35", "r2")


def test_refuses_that_one_of_two_that_were_reloaded_together_has_another_version() -> None:
    verdict = judged(both(r2=OLD), reload(10, 20, targets="r1 r2"))
    assert (verdict.valid, verdict.ops) == (False, (2, 3))
    assert "although both have loaded v2 at once" in verdict.why


@pytest.mark.parametrize(
    "more",
    [
        pytest.param([reload(10, 20)], id="only one was told to"),
        pytest.param([reload(10, 20, targets="r1 r2", acted=False)], id="it did not act"),
        pytest.param([reload(10, 20), reload(10, 20, targets="r2")], id="each on its own"),
        pytest.param(
            [reload(10, 20, targets="r1 r2"), event("killed", 15, "r2"), event("started", 25, "r2")], id="one was started again"
        ),
        pytest.param([reload(10, 20, targets="r1 r2"), event("killed", 22, "r2"), event("started", 25, "r2")], id="after it"),
    ],
)
def test_accepts_another_version_of_a_replica_that_was_not_reloaded_with_the_others(more: list[dict[str, object]]) -> None:
    verdict = judged(both(r2=OLD), *more)
    assert verdict.valid is True, verdict.why


def test_accepts_one_version_of_all_that_were_reloaded_together() -> None:
    assert judged(both(r2=NEW), reload(10, 20, targets="r1 r2")).valid is True


def test_says_which_versions() -> None:
    verdict = judged(asked(OLD, "0..5") + asked(NEW, "1000..1010"))
    assert verdict.why == ("r1 answered with version old (op 0) and with new (op 1), and was not told to load it in between")


@pytest.mark.parametrize(
    "ops", ["", asked('{"label":7,"score":0.9}', "0..5"), asked(OLD, "0..5", node=""), asked("oops", "0..5")]
)
def test_unknown_without_versions(ops: str) -> None:
    assert judged(ops).valid is None


def test_a_damaged_answer_has_no_version() -> None:
    assert judged(asked(OLD, "0..5") + asked("oops", "6..7") + asked('{"label":7,"score":0.9,"model":3}', "8..9")).valid is True


def test_applies_where_versions_and_starts_are_recorded() -> None:
    assert applies(told(asked(OLD, "0..5")))
    assert not applies(history(asked(OLD, "0..5")))
    assert not applies(told(asked('{"label":7,"score":0.9}', "0..5")))
