"""What `checkpoints_valid` accepts, and what it finds."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.checkers.checkpoints_valid import applies, checkpoints_valid
from harness.model.history import EVENTS, History, frame
from tests.helpers.trained import history

FIRST = "rank0 resumed step 0, the first"
SAVED = "coordinator saved step 10; coordinator saved step 20"


def told(text: str, trained: str = "rank0 g1 step 0 aa 0:1 at 0.5") -> History:
    rows = []
    for number, line in enumerate(filter(None, map(str.strip, text.split(";")))):
        node, kind, *detail = line.replace("taken back", "taken_back").replace("not saved", "not_saved").split()
        kind = kind.replace("_", " ")
        rows.append({"node": node, "at_ns": number, "kind": kind, "detail": f"generation 1: {' '.join(detail)}"})
    return replace(history(trained), events=frame(EVENTS, rows))


@pytest.mark.parametrize(
    "events",
    [
        f"{FIRST}; {SAVED}; rank0 resumed step 20; rank1 resumed step 20",
        f"{SAVED}; rank0 resumed step 30",  # it was saved, and the coordinator killed before it said so
        f"{SAVED}; rank0 refused step 20 (every10-1.json): changed; rank0 resumed step 10",
        f"{SAVED}; rank0 refused step 20 (a.json): x; rank0 refused step 10 (b.json): x; rank0 resumed step 0, the first",
        f"{SAVED}; rank0 refused every10-1.json: its own SHA-256; rank0 resumed step 10",
        f"{SAVED}; coordinator taken back to step 13; rank0 resumed step 10",
        f"{SAVED}; coordinator taken back to step 3; rank0 resumed step 0, the first",
        f"{SAVED}; rank0 refused step 20 (a.json): x; rank0 resumed step 10; coordinator saved step 20; rank0 resumed step 20",
    ],
)
def test_whoever_resumes_from_the_newest_that_can_be_used_is_right(events: str) -> None:
    verdict = checkpoints_valid(told(events))
    assert verdict.valid is True, verdict.why


@pytest.mark.parametrize(
    ("events", "why"),
    [
        (f"{SAVED}; rank1 resumed step 10", "rank1 resumed with step 10 at 0.00 s, though step 20 was saved, and not refused"),
        (f"{SAVED}; rank0 refused a push of step 20; rank0 resumed step 10", "though step 20 was saved"),
        (f"{SAVED}; rank0 refused every10-1.json: x; rank0 resumed step 0, the first", "though step 10 was saved"),
        (f"{SAVED}; rank0 resumed step 0, the first", "though step 20 was saved"),
        (f"{SAVED}; rank0 refused step 20 (a.json): x; rank0 resumed step 0, the first", "though step 10 was saved"),
        (
            f"{SAVED}; rank0 refused step 20 (a.json): x; coordinator saved step 20; rank0 resumed step 10",
            "though step 20 was saved",
        ),
    ],
)
def test_whoever_resumes_from_an_older_one_is_wrong(events: str, why: str) -> None:
    verdict = checkpoints_valid(told(events))
    assert verdict.valid is False
    assert why in verdict.why


@pytest.mark.parametrize("events", ["", FIRST, SAVED, f"{FIRST}; {SAVED}"])
def test_nobody_who_resumed_is_unknown(events: str) -> None:
    assert checkpoints_valid(told(events)).valid is None


def test_alarms_are_told() -> None:
    verdict = checkpoints_valid(told(f"{SAVED}; rank1 not saved step 30: full; rank0 resumed step 20"))
    assert (
        verdict.why == "2 checkpoints saved, 1 alarm about what was not; each of 1 resumed from the newest that could be used"
    )


def test_it_applies_where_checkpoints_were_saved() -> None:
    assert applies(told(SAVED))
    assert not applies(told(FIRST))
    assert not applies(told(SAVED, trained=""))
