"""Which steps of a training stand, and the goodput and recovery that follow from them."""

from __future__ import annotations

import pytest

from harness.model.rank_process import DoneStep, RankProcess
from results.analysis.goodput import measure, phases
from results.analysis.lineage import first_difference, place, rollbacks, standing
from tests.helpers.ranks import MS, models, process


def killed_at_30_back_at_20() -> list[RankProcess]:
    """Two ranks that do 30 steps of 10 ms each, and restart from their state after step 20; 40 steps in total."""
    return [
        *(process(rank, 10 + rank, 100, "m0", models(0, 30), gone_ms=400) for rank in (0, 1)),
        *(process(rank, 20 + rank, 1400, "m20", models(20, 40)) for rank in (0, 1)),
    ]


def test_a_process_goes_on_after_the_step_whose_parameters_it_begins_with() -> None:
    placed = place(killed_at_30_back_at_20())
    assert [one.start for one in placed] == [0, 0, 20, 20]
    assert [step.parameters for step in standing(placed, 0)] == models(0, 40)
    [lost, _] = rollbacks(placed)
    assert (lost.lost, lost.replayed, lost.equal) == (10, 10, 10)


def killed_as_the_other_finished_a_step() -> list[RankProcess]:
    """Rank 1 dies within step 30, which rank 0 finishes and saves; both resume after it. 40 steps in total."""
    return [
        process(0, 10, 100, "m0", models(0, 30), gone_ms=410),
        process(1, 11, 100, "m0", models(0, 29), gone_ms=399),
        *(process(rank, 20 + rank, 1400, "m30", models(30, 40)) for rank in (0, 1)),
    ]


def test_a_step_that_only_the_other_rank_lived_to_record_stands() -> None:
    placed = place(killed_as_the_other_finished_a_step())
    assert [one.start for one in placed] == [0, 0, 30, 30]
    for rank in (0, 1):
        assert [step.parameters for step in standing(placed, rank)] == models(0, 40)
    assert first_difference(placed, 2) is None
    assert rollbacks(placed) == []
    metrics = measure(placed, 2, first_fault_ns=390 * MS, started_ns=0, ended_ns=1600 * MS, finished=True, sent_bytes=0)
    assert (metrics.steps, metrics.lost_steps) == (40, 0)


def test_ranks_that_differ_after_such_a_step_are_found_at_the_right_one() -> None:
    *first, zero, one = killed_as_the_other_finished_a_step()
    one.steps[4] = DoneStep(begun_ns=one.steps[4].begun_ns, done_ns=one.steps[4].done_ns, parameters="x")
    assert first_difference(place([*first, zero, one]), 2) == (34, ["m35", "x"])


def test_a_rank_that_joins_later_has_the_steps_of_those_before_it() -> None:
    late = process(2, 30, 1400, "m30", models(30, 40), world=3)
    placed = place([*killed_as_the_other_finished_a_step(), late])
    assert [step.parameters for step in standing(placed, 2)] == models(0, 40)
    assert first_difference(placed, 3) is None


def test_one_that_begins_with_the_first_parameters_begins_anew() -> None:
    placed = place([process(0, 1, 100, "m0", models(0, 5), world=1), process(0, 2, 900, "m0", models(0, 2), world=1)])
    assert [one.start for one in placed] == [0, 0]
    assert rollbacks(placed)[0].lost == 5
    assert len(standing(placed, 0)) == 2


def unchanged_by_the_first(end: int) -> list[str]:
    """As `models` from 0, if the rate of the first step is 0, as in a linear warm-up: it leaves the parameters as they were."""
    return ["m0", *models(1, end)]


def test_one_that_begins_anew_does_so_although_the_first_step_changed_nothing() -> None:
    first = process(0, 1, 100, "m0", unchanged_by_the_first(5), world=1)
    again = process(0, 2, 900, "m0", unchanged_by_the_first(9), world=1)
    placed = place([first, again])
    assert [one.start for one in placed] == [0, 0]
    [lost] = rollbacks(placed)
    assert (lost.lost, lost.replayed, lost.equal) == (5, 5, 5)
    assert place([first, process(0, 2, 900, "m0", [], world=1)])[1].start == 0


def test_one_that_resumes_after_a_step_that_changed_nothing_is_told_by_its_next_steps() -> None:
    first = process(0, 1, 100, "m0", ["m1", "m2", "m2", "m3", "m4"], world=1)
    for saved, then in ((2, ["m2", "m3", "m4"]), (3, ["m3", "m4"])):
        assert place([first, process(0, 2, 900, "m2", then, world=1)])[1].start == saved


def test_a_term_with_unknown_first_parameters_is_not_placed() -> None:
    placed = place([process(0, 1, 100, "m0", models(0, 5), world=1), process(0, 2, 900, "other", ["x"], world=1)])
    assert [one.start for one in placed] == [0, None]


def test_a_replay_that_ends_elsewhere_is_seen() -> None:
    again = ["m21", "other", "other2"]
    placed = place([process(0, 1, 100, "m0", models(0, 30), world=1), process(0, 2, 900, "m20", again, world=1)])
    [lost] = rollbacks(placed)
    assert (lost.lost, lost.replayed, lost.equal) == (10, 3, 1)


def test_steps_that_are_replayed_only_at_the_second_attempt_are_replayed() -> None:
    """Killed at 30, back at 20, killed at 23, back at 20 again: 13 steps are lost, and all are done again."""
    attempts = ((100, "m0", models(0, 30)), (900, "m20", models(20, 23)), (1500, "m20", models(20, 40)))
    found = [process(rank, 10 * n + rank, *one) for n, one in enumerate(attempts, 1) for rank in (0, 1)]
    metrics = measure(place(found), 2, first_fault_ns=None, started_ns=0, ended_ns=1800 * MS, finished=True, sent_bytes=0)
    assert (metrics.lost_steps, metrics.replayed_steps, metrics.replayed_equal) == (13, 13, 13)


def test_the_first_step_after_which_ranks_differ() -> None:
    same, other = process(0, 1, 100, "m0", models(0, 5)), process(1, 2, 100, "m0", [*models(0, 3), "x", "y"])
    assert first_difference(place([same, other]), 2) == (3, ["m4", "x"])
    assert first_difference(place(killed_at_30_back_at_20()), 2) is None


def test_goodput_counts_each_step_once_and_all_the_time() -> None:
    placed = place(killed_at_30_back_at_20())
    metrics = measure(placed, 2, first_fault_ns=390 * MS, started_ns=0, ended_ns=1700 * MS, finished=True, sent_bytes=5000)
    assert metrics.steps == 40
    assert metrics.clean_step_ms == 10
    assert metrics.goodput == pytest.approx(40 * 10 / (1600 - 100))
    assert metrics.ettr == pytest.approx(40 * 10 / 1700)
    assert (metrics.lost_steps, metrics.replayed_steps, metrics.replayed_equal) == (10, 10, 10)
    assert metrics.bytes_per_step == 100
    assert metrics.longest_stall_s == pytest.approx(1.01)


def test_without_clean_steps_there_is_no_goodput() -> None:
    metrics = measure(
        place(killed_at_30_back_at_20()),
        2,
        first_fault_ns=150 * MS,
        started_ns=0,
        ended_ns=1700 * MS,
        finished=True,
        sent_bytes=0,
    )
    assert metrics.goodput is None
    assert metrics.clean_steps < 10


def test_clean_steps_are_those_before_the_fault_even_if_they_were_lost() -> None:
    again = [process(rank, 20 + rank, 1400, "m0", models(0, 40), step_ms=30) for rank in (0, 1)]
    placed = place([*killed_at_30_back_at_20()[:2], *again])
    metrics = measure(placed, 2, first_fault_ns=401 * MS, started_ns=0, ended_ns=2700 * MS, finished=True, sent_bytes=0)
    assert (metrics.clean_steps, metrics.clean_step_ms) == (25, 10)
    assert metrics.goodput == pytest.approx(40 * 10 / (2600 - 100))


def test_steps_of_ranks_that_are_slow_in_turn_count_no_time_twice() -> None:
    """Two ranks, in turn slow for 100 ms and fast for 10 ms: each pair of steps takes both 110 ms."""
    ranks = []
    for rank in (0, 1):
        at, steps = 0, []
        for number in range(20):
            begun, at = at, at + (100 if number % 2 == rank else 10)
            steps.append(DoneStep(begun_ns=begun * MS, done_ns=at * MS, parameters=f"m{number + 1}"))
        ranks.append(RankProcess(pid=10 + rank, rank=rank, world=2, began_ns=0, backend="gloo", parameters="m0", steps=steps))
    metrics = measure(place(ranks), 2, first_fault_ns=None, started_ns=0, ended_ns=1100 * MS, finished=True, sent_bytes=0)
    assert metrics.ettr == pytest.approx(1.0)


def test_the_time_of_a_training_that_never_came_back_counts() -> None:
    ranks = [process(rank, 10 + rank, 100, "m0", models(0, 30), gone_ms=400) for rank in (0, 1)]
    metrics = measure(place(ranks), 2, first_fault_ns=390 * MS, started_ns=0, ended_ns=3100 * MS, finished=False, sent_bytes=0)
    assert metrics.goodput == pytest.approx(30 * 10 / 3000)


def test_a_process_that_had_imported_torch_before_a_fault_was_not_restarted_by_it() -> None:
    """A second fault hits while the ranks restart after the first one: torch is imported, and they are yet to join."""
    found = killed_at_30_back_at_20()
    during = phases("w1", 1385 * MS, found, place(found), 2, [1], None, finished=True)
    assert during.restarted_s is None
    assert during.joined_s == pytest.approx(0.005)


def test_ranks_that_have_no_optimizer_take_no_part_in_steps() -> None:
    """As in a parameter server: rank 0 applies the gradients of the others."""
    idle = RankProcess(pid=11, rank=1, world=2, joined_ns=1, backend="gloo")
    found = [process(0, 10, 100, "m0", models(0, 30)), idle]
    metrics = measure(place(found), 2, first_fault_ns=None, started_ns=0, ended_ns=1000 * MS, finished=True, sent_bytes=0)
    assert (metrics.steps, metrics.clean_steps, metrics.goodput) == (30, 25, 1.0)
    assert phases("w0", 245 * MS, found, place(found), 2, [1], None, finished=True).first_step_s == pytest.approx(0.015)


def test_the_phases_of_a_recovery() -> None:
    found = killed_at_30_back_at_20()
    came_back = phases("w0", 395 * MS, found, place(found), 2, [1], None, finished=True)
    assert came_back.noticed_s == pytest.approx(0.005)
    assert came_back.restarted_s == pytest.approx(0.985)
    assert came_back.joined_s == pytest.approx(0.995)
    assert came_back.first_step_s == pytest.approx(1.015)
    assert came_back.caught_up_s == pytest.approx((1400 + 100 - 395) / 1000)
    lost = found[:2]
    never = phases("w0", 395 * MS, lost, place(lost), 2, [1], 800 * MS, finished=False)
    assert (never.restarted_s, never.joined_s, never.first_step_s, never.caught_up_s) == (None, None, None, None)


def test_what_a_rank_does_after_a_fault_before_it_is_ended_and_started_again_is_no_recovery() -> None:
    """Ranks that do not wait for each other: rank 0 does ten steps more after rank 1 was killed, and both restart in turn."""
    old = [process(0, 10, 100, "m0", models(0, 40), gone_ms=510), process(1, 11, 100, "m0", models(0, 30), gone_ms=400)]
    new = [process(0, 20, 1500, "m20", models(20, 40)), process(1, 21, 1400, "m20", models(20, 40))]
    back = phases("w0", 395 * MS, [*old, *new], place([*old, *new]), 2, [1], None, finished=True)
    assert back.joined_s == pytest.approx(1.095)
    assert back.first_step_s == pytest.approx(1.115)
    assert back.caught_up_s == pytest.approx((1500 + 100 - 395) / 1000)


def slowed_and_then_killed() -> list[RankProcess]:
    """Two ranks that do 30 steps of 10 ms each until one is killed, and restart from their state after step 20."""
    return [
        *(process(rank, 10 + rank, 100, "m0", models(0, 30), gone_ms=410 - 10 * rank) for rank in (0, 1)),
        *(process(rank, 20 + rank, 1400, "m20", models(20, 40)) for rank in (0, 1)),
    ]


def test_a_restart_after_a_later_fault_is_no_part_of_an_earlier_ones_recovery() -> None:
    """The first fault slowed a link: the ranks went on. The second one, 150 ms later, killed a rank."""
    found = slowed_and_then_killed()
    slowed = phases("w0", 245 * MS, found, place(found), 2, [], None, finished=True, next_ns=395 * MS)
    assert (slowed.noticed_s, slowed.restarted_s, slowed.joined_s) == (None, None, None)
    assert slowed.first_step_s == slowed.caught_up_s == pytest.approx(0.015)
    killed = phases("w1", 395 * MS, found, place(found), 2, [1], None, finished=True)
    assert (killed.noticed_s, killed.first_step_s) == (pytest.approx(0.015), pytest.approx(1.015))


def test_a_recovery_that_a_later_fault_interrupts_lasts_until_after_the_restart() -> None:
    found = slowed_and_then_killed()
    for next_ms in (396, 1000):  # before the others noticed, and while all restart
        killed = phases("w0", 395 * MS, found, place(found), 2, [1], None, finished=True, next_ns=next_ms * MS)
        assert (killed.noticed_s, killed.first_step_s) == (pytest.approx(0.015), pytest.approx(1.015))
