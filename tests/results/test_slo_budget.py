"""Error budgets over nights: what is left, how fast it burns, and when it ends."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from results.trends.nights import Night
from results.trends.slo_budget import ALERTS, Budget, budgets
from tests.helpers.outcomes import DRILL, FIRST_UTC, SLO, missed, night, nights, run


def of(letters: str) -> list[Night]:
    """A night for each letter: + met, - missed, ? unknown, and a space for one without the drill."""
    runs = {"+": [run()], "-": [missed()], "?": [run("unknown", slo=None)], " ": []}
    return nights(runs[letter] for letter in letters)


def only(letters: str, objective: float = 0.95) -> Budget:
    (found,) = budgets(of(letters), objective)
    return found


def test_a_quiet_history_keeps_its_budget() -> None:
    found = only("+" * 90)
    assert (found.drill, found.slo, found.objective) == (DRILL, SLO, 0.95)
    assert [(window.nights, window.met, window.share) for window in found.attained] == [
        (7, 7, 1.0),
        (30, 30, 1.0),
        (90, 90, 1.0),
    ]
    assert (found.allowed, found.spent, found.left) == (pytest.approx(4.5), 0, 1.0)
    assert found.ends_utc is None
    assert not found.fires


def test_unknown_runs_and_nights_without_the_drill_count_as_neither() -> None:
    found = only("+?+ -")
    assert [(window.met, window.missed, window.unknown) for window in found.attained] == [(2, 1, 1)] * 3
    assert found.attained[0].share == pytest.approx(2 / 3)


def test_an_unknown_run_tells_nothing_even_of_an_slo_that_it_seems_to_meet() -> None:
    (found,) = budgets(nights([[run("unknown", slo=True)]]))
    assert found.attained[0].share is None
    assert (found.left, found.burns[0].long_rate, found.fires) == (1.0, None, False)


def test_a_run_that_came_to_no_result_does_not_begin_a_new_budget() -> None:
    nothing = run("unknown", definition="", slo=None)
    (found,) = budgets(nights([[run()], [missed()], [run(), nothing]]))
    assert [(window.met, window.missed) for window in found.attained] == [(2, 1)] * 3
    assert budgets(nights([[nothing]])) == ()


def test_one_night_cannot_fire_an_alert_and_two_of_three_do() -> None:
    assert not only("-").fires
    assert not only("+" * 29 + "-").fires
    assert [burn.fires for burn in only("+" * 88 + "--").burns] == [True, True, False]
    assert [burn.fires for burn in only("+" * 87 + "-+-").burns] == [True, True, False]


def test_an_alert_ends_when_the_short_window_is_quiet_again() -> None:
    assert only("+" * 60 + "---").burns[0].fires
    assert not only("+" * 60 + "---+").burns[0].fires
    assert only("+" * 60 + "---+").burns[1].fires


def test_a_slow_burn_is_seen_in_the_long_window_alone() -> None:
    found = only("+" * 60 + ("+" * 9 + "-") * 3)
    assert [burn.fires for burn in found.burns] == [False, False, True]
    assert found.burns[2].long_rate == pytest.approx(2)


def test_a_stricter_objective_burns_faster() -> None:
    assert only("+" * 29 + "-", 0.99).burns[0].long_rate == pytest.approx(100 / 3)
    assert only("+" * 29 + "-", 0.90).burns[0].long_rate == pytest.approx(10 / 3)


def test_the_budget_ends_on_the_night_at_which_the_misses_to_come_have_used_it() -> None:
    found = only("+" * 60 + ("+" * 9 + "-") * 3)  # 3 of 4.5 spent, one more every ten nights
    assert found.left == pytest.approx(1 / 3)
    assert found.ends_utc == FIRST_UTC + timedelta(days=89 + 15)


def test_misses_of_long_ago_leave_the_period_before_it_ends() -> None:
    assert only("----" + "+" * 86).ends_utc is None
    assert only("-" * 4 + "+" * 85 + "-").ends_utc is None  # spent already
    assert only("-" * 3 + "+" * 76 + "-" + "+" * 10).ends_utc is None  # a miss in 30 nights can be borne


def test_weekly_nights_end_a_budget_weeks_later() -> None:
    daily = of("+" * 60 + ("+" * 9 + "-") * 3)
    weekly = [night(7 * number, *each.runs) for number, each in enumerate(daily)]
    (found,) = budgets(weekly)
    assert found.ends_utc == weekly[-1].began_utc + timedelta(weeks=15)


def test_an_edited_drill_has_a_new_budget() -> None:
    (found,) = budgets(nights([[missed()], [run(definition="d2")], [run(definition="d2")]]))
    assert (found.spent, found.attained[0].met) == (0, 2)


def test_a_drill_that_is_meant_to_fail_has_no_budget() -> None:
    assert budgets(nights([[run("fail", as_expected=True, slo=False)]])) == ()
    assert budgets([]) == ()


def test_the_tightest_budget_comes_first() -> None:
    good, bad = run(drill="a"), missed()
    assert [found.drill for found in budgets(nights([[good, bad]] * 3))] == [DRILL, "a"]


@pytest.mark.parametrize("objective", [0, 1, 95])
def test_an_objective_is_a_share(objective: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        budgets([], objective)


@given(letters=st.text("+-? ", min_size=1, max_size=200).filter(lambda text: set(text) - {" "}))
def test_what_holds_for_every_history(letters: str) -> None:
    found = budgets(of(letters))
    if not found:  # the drill did not run within the period
        assert set(letters[-90:]) == {" "}
        return
    for window, burn in zip(found[0].attained, found[0].burns, strict=True):
        shown = letters[-window.nights :]
        assert (window.met, window.missed, window.unknown) == (shown.count("+"), shown.count("-"), shown.count("?"))
        assert burn.alert in ALERTS
        assert not burn.fires or "-" in letters[-burn.alert.short_nights :]
    assert found[0].spent == letters[-90:].count("-")
    assert (found[0].ends_utc is None) or found[0].left > 0
