"""What the checkers of trainings without rounds accept, and what they find."""

from __future__ import annotations

import pytest

from harness.checkers import bounded_staleness as bounds
from harness.checkers.bounded_staleness import bounded_staleness
from harness.checkers.every_sample_once import every_sample_once
from harness.checkers.same_parameters import same_parameters
from harness.model.verdict import Verdict
from tests.helpers.updated import history

TWO_WORKERS = """
    joined g1 worker1 0
    joined g1 worker2 0
    done g1 step 0 worker1 batch 0 from 0 a0
    done g1 step 1 worker1 batch 2 from 1 a1     # one clock ahead
    done g1 step 2 worker2 batch 1 from 0 a2
    done g1 step 3 worker1 batch 3 from 3 a3
    given g1 worker2 batch 4
"""
CONTROL = """
    control g1 step 0 a0 0:0,0:1
    control g1 step 1 a1 0:2,0:3
    control g1 step 2 a2 0:4,0:5
    control g1 step 3 a3 0:6,0:7
    control g0 step 4 -  0:8,0:9
"""


def invalid(verdict: Verdict) -> str:
    assert verdict.valid is False, verdict.why
    return verdict.why


# ---------------------------------------------------------------------------------------------------- bounded_staleness


def test_updates_within_the_bound_are_right() -> None:
    verdict = bounded_staleness(history(TWO_WORKERS))
    assert (verdict.valid, verdict.why) == (True, "4 updates, begun at most 1 clock ahead of the slowest")


def test_an_update_begun_one_clock_too_far_ahead_is_found() -> None:
    why = invalid(bounded_staleness(history(TWO_WORKERS, bound=0)))
    assert why.startswith("2 updates of 4: step 1 (master at 0.00 s, generation 1) is of worker1, which began it 1 clock ahead")
    early = TWO_WORKERS.replace("step 3 worker1 batch 3 from 3", "step 3 worker1 batch 3 from 2")  # worker2's had not come
    assert "began it 2 clocks ahead of the slowest; at most 1 are allowed" in invalid(bounded_staleness(history(early)))


def test_how_late_an_update_comes_does_not_matter_but_when_it_was_begun() -> None:
    late = TWO_WORKERS + "done g1 step 4 worker1 batch 5 from 4 a4\ndone g1 step 5 worker2 batch 4 from 3 a5"
    assert bounded_staleness(history(late, bound=2)).valid is True


def test_a_worker_that_was_left_out_is_not_the_slowest_and_joins_beside_it() -> None:
    transcript = f"""{TWO_WORKERS}
        done g1 step 4 worker1 batch 5 from 4 a4     # two ahead
        left g1 worker2 5
        done g1 step 5 worker1 batch 4 from 5 a5     # alone
        joined g1 worker2 6
        done g1 step 6 worker1 batch 6 from 6 a6
        done g1 step 7 worker1 batch 7 from 7 a7
        done g1 step 8 worker1 batch 8 from 8 a8     # two ahead
    """
    assert bounded_staleness(history(transcript, bound=2)).valid is True
    stays = transcript.replace("left g1 worker2 5", "").replace("joined g1 worker2 6", "")
    assert "began it 3 clocks ahead" in invalid(bounded_staleness(history(stays, bound=2)))
    further = f"{transcript}\n done g1 step 9 worker1 batch 9 from 9 a9"
    assert "began it 3 clocks ahead" in invalid(bounded_staleness(history(further, bound=2)))


def test_a_gradient_of_a_worker_that_was_left_out_meanwhile_is_found() -> None:
    transcript = TWO_WORKERS + "left g1 worker2 4\ndone g1 step 4 worker2 batch 4 from 3 a4"
    assert "worker2, which was removed after it had begun" in invalid(bounded_staleness(history(transcript)))
    back = transcript.replace("left g1 worker2 4", "left g1 worker2 4\njoined g1 worker2 4")
    assert "worker2, which was removed after it had begun" in invalid(bounded_staleness(history(back)))


def test_parameters_of_which_there_were_none_yet_are_found() -> None:
    transcript = TWO_WORKERS.replace("batch 3 from 3", "batch 3 from 4")
    assert "computed with the parameters after 4 steps, which did not exist" in invalid(bounded_staleness(history(transcript)))


def test_each_term_has_its_own_clocks() -> None:
    transcript = (
        TWO_WORKERS
        + """
        joined g2 worker1 2
        joined g2 worker2 2
        done g2 step 2 worker2 batch 1 from 2 b2
        done g2 step 3 worker2 batch 3 from 3 b3
    """
    )
    assert bounded_staleness(history(transcript)).valid is True
    assert bounded_staleness(history(transcript, bound=0)).valid is False


def test_nothing_to_judge_is_unknown() -> None:
    assert bounded_staleness(history("")).why == "no update was made"
    assert bounded_staleness(history(TWO_WORKERS, bound=None)).why == "no bound was promised"
    alone = "joined g1 worker1 0\ndone g1 step 0 worker1 batch 0 from 0 a0"
    assert bounded_staleness(history(alone)).valid is None
    assert not bounds.applies(history(TWO_WORKERS, bound=None))
    assert bounds.applies(history(TWO_WORKERS))


# ------------------------------------------------------------------------------- same_parameters and every_sample_once


ROLLED_BACK = """
    done g1 step 0 worker1 batch 0 from 0 a0
    done g1 step 1 worker2 batch 1 from 0 a1
    done g1 step 2 worker1 batch 2 from 1 a2
    done g2 step 2 worker1 batch 3 from 2 b2     # from the checkpoint after step 1
    done g2 step 3 worker2 batch 2 from 2 b3
    control g1 step 0 a0 0:0,0:1
    control g1 step 1 a1 0:2,0:3
    control g1 step 2 a2 -
    control g2 step 2 b2 0:4,0:5
    control g2 step 3 b3 0:6,0:7
"""


def test_a_step_is_compared_with_its_own_terms() -> None:
    assert same_parameters(history(ROLLED_BACK)).valid is True
    wrong = ROLLED_BACK.replace("batch 3 from 2 b2", "batch 3 from 2 a2")
    assert "after step 2 the parameters differ" in invalid(same_parameters(history(wrong)))


def test_what_was_rolled_back_does_not_count_and_order_does_not_matter() -> None:
    assert every_sample_once(history(ROLLED_BACK)).valid is True
    twice = ROLLED_BACK.replace("batch 2 from 2 b3", "batch 1 from 2 b3")
    assert "2 used more than once: 0:2, 0:3; 2 never used: 0:4, 0:5" in invalid(every_sample_once(history(twice)))


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["worker2 batch 1", "worker1 batch 2"], None),
        (["worker1 batch 2"], "2 never used: 0:2, 0:3"),
        (["worker2 batch 1", "worker1 batch 2", "worker2 batch 3"], "2 never used: 0:2, 0:3"),
        ([], None),  # nothing later was given: it is the next one
    ],
)
def test_a_batch_that_was_passed_over_is_missed_unless_its_worker_still_has_it(given: list[str], told: str | None) -> None:
    verdict = every_sample_once(history(passed_over(*(f"given g1 {one}" for one in given))))
    assert told in invalid(verdict) if told else verdict.valid is True


@pytest.mark.parametrize(
    ("later", "told"),
    [
        ("left g1 worker2 2", None),  # it waits for the next worker that asks
        ("left g1 worker2 2\ngiven g1 worker1 batch 1", None),
        ("left g1 worker2 2\ngiven g1 worker1 batch 3", "2 never used: 0:2, 0:3"),
        ("left g2 worker2 2\ngiven g2 worker1 batch 3", None),  # of another term, none of whose steps stands
    ],
)
def test_the_batch_of_a_worker_that_was_removed_is_missed_once_a_later_one_is_given(later: str, told: str | None) -> None:
    verdict = every_sample_once(history(passed_over("given g1 worker2 batch 1", "given g1 worker1 batch 2", later)))
    assert told in invalid(verdict) if told else verdict.valid is True


def test_a_batch_that_was_applied_twice_is_seen_even_if_a_worker_has_it() -> None:
    twice = passed_over("given g1 worker1 batch 0").replace("worker1 batch 2", "worker1 batch 0")
    assert "2 used more than once: 0:0, 0:1" in invalid(every_sample_once(history(twice)))


def passed_over(*given: str) -> str:
    """Two updates, without batch 1; and what a master gave."""
    return "\n".join(
        (
            "given g1 worker1 batch 0",
            *given,
            "done g1 step 0 worker1 batch 0 from 0 a0",
            "done g1 step 1 worker1 batch 2 from 1 a1",
            "control g1 step 0 a0 0:0,0:1",
            "control g1 step 1 a1 0:2,0:3",
            "control g0 step 2 -  0:4,0:5",
            "control g0 step 5 -  0:10,0:11",
        )
    )


def test_steps_that_were_rolled_back_make_nothing_due() -> None:
    """The newest term has not come as far yet as the one before."""
    taken_over = """
        given g1 worker1 batch 0
        given g1 worker2 batch 1
        done g1 step 0 worker1 batch 0 from 0 a0
        done g1 step 1 worker2 batch 1 from 0 a1
        done g1 step 2 worker1 batch 2 from 1 a2
        given g2 worker1 batch 0
        given g2 worker1 batch 1
        done g2 step 0 worker1 batch 0 from 0 b0
        control g1 step 0 a0 -
        control g1 step 1 a1 -
        control g1 step 2 a2 -
        control g2 step 0 b0 0:0,0:1
        control g0 step 1 -  0:2,0:3
        control g0 step 2 -  0:4,0:5
    """
    assert every_sample_once(history(taken_over)).valid is True
    lost = taken_over.replace("step 0 worker1 batch 0 from 0 b0", "step 0 worker1 batch 1 from 0 b0")
    lost = lost.replace("given g2 worker1 batch 0\n", "")
    assert "2 never used: 0:0, 0:1" in invalid(every_sample_once(history(lost)))
