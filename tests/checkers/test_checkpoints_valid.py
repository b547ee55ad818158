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
    NotWithdrawn,
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
FIRST_TERM = "master saved 10; master saved 20"
DAMAGED = "standby refused 30 a.json in 2; standby refused 20 b.json in 2"
SECOND_TERM = f"{FIRST_TERM}; master saved 30; {DAMAGED}; standby resumed 10 of 1 in 2; standby saved 20 in 2"
STEPS = """
    rank0 g1 step 0 aa 0:1 at 0.5
    rank0 g2 step 19 aa 0:1 at 0.6
    control step 18 aa 0:1
"""


def told(text: str, trained: str = "rank0 g1 step 0 aa 0:1 at 0.5") -> History:
    """Events of nodes, such as "rank0 resumed 20; rank0 refused 20 a.json"; "-" is the step of a manifest that is not read.

    They are of generation 1; " in 2" at the end: of generation 2.
    """
    rows = []
    for number, line in enumerate(filter(None, map(str.strip, text.split(";")))):
        what, _, within = line.partition(" in ")
        generation = int(within or 1)
        match what.split():
            case [node, "resumed", step]:
                event: TrainingEvent = Resumed(generation=generation, step=int(step))
            case [node, "resumed", step, "of", other]:
                event = Resumed(generation=generation, step=int(step), of_generation=int(other))
            case [node, "saved", step]:
                event = Saved(generation=generation, step=int(step))
            case [node, "refused", step, file]:
                number_of = None if step == "-" else int(step)
                event = CheckpointRefused(generation=generation, step=number_of, file=file, why="changed")
            case [node, "refuses", "work", step]:
                event = WorkRefused(generation=1, step=int(step), sender="worker1", why="late")
            case [node, "took", "back", step]:
                event = TakenBack(generation=generation, step=int(step), withdrawn=())
            case [node, "cannot", "withdraw", step]:
                event = NotWithdrawn(generation=generation, step=int(step), why="full")
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
        f"{SAVED}; rank0 refused 20 a.json in 2; rank0 resumed 10 in 2; coordinator saved 20 in 2; rank0 resumed 20 in 3",
        # One manifest of two of step 20 is unreadable, which the second one replaced:
        f"{SAVED}; coordinator saved 20 in 2; rank0 refused - a.json in 3; rank0 resumed 10 in 3",
        # A list that no disk took yet, which the members were told:
        f"{SAVED}; coordinator cannot withdraw 13; rank0 resumed 10 in 2",
        f"{SAVED}; coordinator cannot withdraw 13; rank0 resumed 10 in 2; coordinator saved 20 in 2; coordinator took back 13;"
        " rank0 resumed 20 in 3",
        # A coordinator that was frozen when it had completed step 20, and says so when the others have gone back:
        "coordinator1 saved 10; coordinator2 took back 13; coordinator1 saved 20; rank0 resumed 10 in 2",
        # Step 19, the last of the 20, was begun again by generation 2, and the coordinator killed before it said what it saved:
        f"{SAVED}; coordinator took back 13; rank0 resumed 10 in 2; rank0 resumed 20 in 3",
    ],
)
def test_resuming_from_the_newest_usable_one_is_right(events: str) -> None:
    verdict = checkpoints_valid(told(events, STEPS))
    assert verdict.valid is True, verdict.why


@pytest.mark.parametrize(
    "events",
    [
        f"{FIRST_TERM}; standby resumed 20 of 1 in 2",
        f"{FIRST_TERM}; standby resumed 30 of 1 in 2",
        f"{FIRST_TERM}; standby resumed 20 of 1 in 2; standby saved 30 in 2; master resumed 30 of 2 in 3",
        # The first master, frozen before it had saved step 30, thaws and saves on, while the second one leads:
        f"{FIRST_TERM}; standby resumed 20 of 1 in 2; standby saved 30 in 2; master saved 30; master saved 40;"
        " master resumed 30 of 2 in 3",
        # The second term began with an older one, and saved fewer steps than the first:
        f"{SECOND_TERM}; master resumed 20 of 2 in 3",
        # The second term did not save anything, so what the first one saved counts:
        f"{FIRST_TERM}; standby resumed 20 of 1 in 2; master resumed 20 of 1 in 3",
        f"{SECOND_TERM}; master refused 20 a.json in 3; master refused 30 b.json in 3; master resumed 10 of 1 in 3",
        f"{SECOND_TERM}; master refused - a.json in 3; master resumed 30 of 1 in 3",
        # The standby is elected and frozen before it looks; the first master, elected after it, has saved meanwhile:
        f"{FIRST_TERM}; master resumed 20 of 1 in 3; master saved 30 in 3; standby resumed 20 of 1 in 2",
    ],
)
def test_resuming_from_the_newest_usable_one_of_the_highest_term_is_right(events: str) -> None:
    verdict = checkpoints_valid(told(events))
    assert verdict.valid is True, verdict.why


@pytest.mark.parametrize(
    ("events", "why"),
    [
        (f"{SECOND_TERM}; master resumed 10 of 2 in 3", "though step 20 of generation 2 was saved, and not refused"),
        (f"{SECOND_TERM}; master resumed 20 of 1 in 3", "though step 20 of generation 2 was saved"),
        (f"{SECOND_TERM}; master saved 40; master resumed 40 of 1 in 3", "though step 20 of generation 2 was saved"),
        (f"{SECOND_TERM}; master resumed 0 in 3", "though step 20 of generation 2 was saved"),
        (f"{FIRST_TERM}; standby resumed 10 of 1 in 2", "though step 20 of generation 1 was saved"),
        (
            f"{SECOND_TERM}; master refused 20 a.json in 3; master refused 30 b.json in 3; master resumed 0 in 3",
            "though step 10 of generation 1 was saved",
        ),
    ],
)
def test_resuming_from_an_older_one_or_an_earlier_term_is_wrong(events: str, why: str) -> None:
    verdict = checkpoints_valid(told(events))
    assert verdict.valid is False
    assert why in verdict.why


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
        (f"{SAVED}; rank0 refused 20 a.json in 2; rank0 resumed 10 in 2; rank1 resumed 10 in 2", "though step 20 was saved"),
        (f"{SAVED}; rank0 refused 20 a.json in 2; rank0 resumed 10 in 2; rank0 resumed 10 in 3", "though step 20 was saved"),
        (f"{SAVED}; coordinator took back 13; rank0 resumed 0 in 2", "though step 10 was saved"),
        (
            f"{SAVED}; coordinator took back 13; rank0 resumed 20 in 2",
            "though steps after 13 were taken back, and no group has begun step 19 again",
        ),
        (f"{SAVED}; coordinator cannot withdraw 13; rank0 resumed 20 in 2", "though steps after 13 were taken back"),
        (
            f"{SAVED}; coordinator cannot withdraw 13; coordinator saved 20 in 2; coordinator took back 13;"
            " rank0 resumed 10 in 3",
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
