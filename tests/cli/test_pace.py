"""The progress of a series of drills, and the time that the rest will take."""

from __future__ import annotations

import pytest

from harness.cli.pace import Pace


class Clock:
    """A clock that shows `now_s`."""

    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def test_the_time_left_learns_from_what_drills_took_besides_their_load() -> None:
    clock = Clock()
    pace = Pace([10, 10, 20], clock)
    assert str(pace) == "[1/3] about 46 s left"
    clock.now_s = 15
    pace.next_done()
    assert str(pace) == "[2/3] about 40 s left"
    clock.now_s = 26
    pace.next_done()
    assert pace.left == "about 23 s left"
    pace.next_done()
    assert pace.left_s == 0


@pytest.mark.parametrize(("load_s", "left"), [(88, "about 90 s left"), (598, "about 10 min left"), (7198, "about 2.0 h left")])
def test_long_times_are_told_in_minutes_and_hours(load_s: float, left: str) -> None:
    assert Pace([load_s], Clock()).left == left


def test_one_drill_has_no_place() -> None:
    assert str(Pace([5], Clock())) == ""
