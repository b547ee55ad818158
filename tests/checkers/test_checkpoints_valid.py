"""What `checkpoints_valid` accepts, and what it finds."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest

from harness.checkers.checkpoints_valid import applies, checkpoints_valid
from harness.model.history import EVENTS, History, frame
from harness.model.training_events import (
    CheckpointRefused,
    NotSaved,
    Resumed,
    Saved,
    TakenBack,
    TrainingEvent,
    WorkRefused,
    kind_of,
)
from tests.helpers.trained import history

FIRST = "rank0 resumed 0"
SAVED = "coordinator saved 10; coordinator saved 20"


def told(text: str, trained: str = "rank0 g1 step 0 aa 0:1 at 0.5") -> History:
    """Events of nodes, such as "rank0 resumed 20; rank0 refused 20 a.json"; "-" is the step of a manifest that is not read."""
    rows = []
    for number, line in enumerate(filter(None, map(str.strip, text.split(";")))):
        match line.split():
            case [node, ("resumed" | "saved") as kind, step]:
                event: TrainingEvent = (Resumed if kind == "resumed" else Saved)(generation=1, step=int(step))
            case [node, "refused", step, file]:
                event = CheckpointRefused(generation=1, step=None if step == "-" else int(step), file=file, why="changed")
            case [node, "refuses", "work", step]:
                event = WorkRefused(generation=1, step=int(step), sender="worker1", why="late")
            case [node, "took", "back", step]:
                event = TakenBack(generation=1, step=int(step), withdrawn=())
            case [node, "alarms", step]:
                event = NotSaved(generation=1, step=int(step), why="full")
            case other:
                raise ValueError(f"cannot read {' '.join(other)}")
        rows.append({"node": node, "at_ns": number, "kind": kind_of(event), "detail": msgspec.json.encode(event).decode()})
    return replace(history(trained), events=frame(EVENTS, rows))


@pytest.mark.parametrize(
    "events",
    [
        f"{FIRST}; {SAVED}; rank0 resumed 20; rank1 resumed 20",
        f"{SAVED}; rank0 resumed 30",  # it was saved, and the coordinator killed before it said so
        f"{SAVED}; rank0 refused 20 every10-1.json; rank0 resumed 10",
        f"{SAVED}; rank0 refused 20 a.json; rank0 refused 10 b.json; rank0 resumed 0",
        f"{SAVED}; rank0 refused - every10-1.json; rank0 resumed 10",
        f"{SAVED}; coordinator took back 13; rank0 resumed 10",
        f"{SAVED}; coordinator took back 3; rank0 resumed 0",
        f"{SAVED}; rank0 refused 20 a.json; rank0 resumed 10; coordinator saved 20; rank0 resumed 20",
    ],
)
def test_resuming_from_the_newest_usable_one_is_right(events: str) -> None:
    verdict = checkpoints_valid(told(events))
    assert verdict.valid is True, verdict.why


@pytest.mark.parametrize(
    ("events", "why"),
    [
        (f"{SAVED}; rank1 resumed 10", "rank1 resumed with step 10 at 0.00 s, though step 20 was saved, and not refused"),
        (f"{SAVED}; rank0 refuses work 20; rank0 resumed 10", "though step 20 was saved"),
        (f"{SAVED}; rank0 refused - every10-1.json; rank0 resumed 0", "though step 10 was saved"),
        (
            f"{SAVED}; rank0 refused - a.json; rank0 resumed 10; rank1 refused - a.json; rank1 resumed 0",
            "though step 10 was saved",
        ),
        (f"{SAVED}; rank0 resumed 0", "though step 20 was saved"),
        (f"{SAVED}; rank0 refused 20 a.json; rank0 resumed 0", "though step 10 was saved"),
        (
            f"{SAVED}; rank0 refused 20 a.json; coordinator saved 20; rank0 resumed 10",
            "though step 20 was saved",
        ),
    ],
)
def test_resuming_from_an_older_one_is_wrong(events: str, why: str) -> None:
    verdict = checkpoints_valid(told(events))
    assert verdict.valid is False
    assert why in verdict.why


@pytest.mark.parametrize("events", ["", FIRST, SAVED, f"{FIRST}; {SAVED}"])
def test_no_resumption_is_unknown(events: str) -> None:
    assert checkpoints_valid(told(events)).valid is None


def test_alarms_are_told() -> None:
    verdict = checkpoints_valid(told(f"{SAVED}; rank1 alarms 30; rank0 resumed 20"))
    assert (
        verdict.why == "2 checkpoints saved, 1 alarm about what was not; each of 1 resumed from the newest that could be used"
    )


def test_an_event_that_is_malformed_is_unknown() -> None:
    broken = frame(EVENTS, [{"node": "rank0", "at_ns": 1, "kind": "resumed", "detail": "step 20"}])
    verdict = checkpoints_valid(replace(told(SAVED), events=broken))
    assert verdict.valid is None
    assert "the event resumed of rank0 at 0.000 s says step 20" in verdict.why


def test_it_applies_where_checkpoints_were_saved() -> None:
    assert applies(told(SAVED))
    assert not applies(told(FIRST))
    assert not applies(told(SAVED, trained=""))
