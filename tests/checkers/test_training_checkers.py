"""What the checkers of trainings accept, and what they find."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.checkers import every_sample_once as samples
from harness.checkers import one_group as groups
from harness.checkers import one_history as histories
from harness.checkers import recovered as recoveries
from harness.checkers import replicas_agree as replicas
from harness.checkers import same_parameters as parameters
from harness.checkers.every_sample_once import every_sample_once
from harness.checkers.one_group import one_group
from harness.checkers.one_history import one_history
from harness.checkers.recovered import recovered
from harness.checkers.replicas_agree import replicas_agree
from harness.checkers.same_parameters import same_parameters
from harness.model.history import EVENTS, USAGE, History, frame
from harness.model.verdict import Checker, Verdict
from tests.helpers.trained import NS_PER_S, history

CONTROL = """
    control step 0 aa 0:1,0:2,0:3
    control step 1 bb 0:4,0:5,1:1
    control step 2 cc 1:2,1:3,1:4
"""
FAILED_AND_DONE_AGAIN = f"""{CONTROL}
    rank0 g1 step 0 aa 0:1,0:3  at 1.0
    rank1 g1 step 0 aa 0:2      at 1.0
    rank0 g1 step 1 bb 0:4,1:1  at 1.1   # rank0 alone came to hold the sum
    rank1 g1 step 1 -  0:5      at 1.1
    rank1 g2 step 1 bb 0:4,0:5,1:1 at 1.3
    rank0 g3 step 2 cc 1:2,1:4  at 2.0
    rank1 g3 step 2 cc 1:3      at 2.0
"""
ALL = (same_parameters, replicas_agree, one_history, every_sample_once)


@pytest.mark.parametrize("checker", ALL)
def test_a_step_that_was_done_again_in_the_same_way_is_right(checker: Checker) -> None:
    assert checker(history(FAILED_AND_DONE_AGAIN)).valid is True


@pytest.mark.parametrize("checker", [*ALL, recovered])
@pytest.mark.parametrize("transcript", ["", CONTROL, f"{CONTROL}\n rank0 g1 step 0 - 0:1 at 1.0"])
def test_nothing_done_is_unknown(checker: Checker, transcript: str) -> None:
    assert checker(history(transcript, (1.0, 2.0))).valid is None


def test_they_apply_where_something_was_trained() -> None:
    trained, untrained = history(FAILED_AND_DONE_AGAIN, (1, 2)), history("")
    for module in (samples, histories, recoveries, replicas, parameters):
        assert module.applies(trained)
        assert not module.applies(untrained)
    assert not parameters.applies(history("rank0 g1 step 0 aa 0:1 at 1.0"))


# ------------------------------------------------------------------------------------------------------ same_parameters


def test_a_step_that_differs_from_the_control_is_found_with_all_that_follow() -> None:
    verdict = same_parameters(history(FAILED_AND_DONE_AGAIN.replace("g3 step 2 cc", "g3 step 2 xx")))
    assert verdict.valid is False
    assert "after step 2" in verdict.why
    assert "rank0 at 2.00 s, generation 3" in verdict.why
    assert "after 1 step in all, of 3" in verdict.why


def test_one_rank_that_differs_is_enough() -> None:
    transcript = FAILED_AND_DONE_AGAIN.replace("rank1 g3 step 2 cc", "rank1 g3 step 2 xx")
    assert "(rank1 at 2.00 s, generation 3)" in invalid(same_parameters(history(transcript)))


def test_steps_without_a_control_are_unknown() -> None:
    further = FAILED_AND_DONE_AGAIN + "rank0 g3 step 3 dd 1:5 at 2.1"
    verdict = same_parameters(history(further))
    assert verdict.valid is None
    assert "no control for 1 step of 4" in verdict.why
    assert "after step 2" in invalid(same_parameters(history(further.replace("g3 step 2 cc", "g3 step 2 xx"))))


# -------------------------------------------------------------------------------------- replicas_agree and one_history


def test_ranks_of_a_group_that_differ_are_found() -> None:
    transcript = FAILED_AND_DONE_AGAIN.replace("rank1 g3 step 2 cc", "rank1 g3 step 2 xx")
    why = invalid(replicas_agree(history(transcript)))
    assert "after step 2 the ranks differ" in why
    assert "rank0 at 2.00 s, generation 3: cc; rank1 at 2.00 s, generation 3: xx" in why
    assert invalid(one_history(history(transcript)))


def test_groups_that_do_a_step_differently_are_two_histories() -> None:
    transcript = FAILED_AND_DONE_AGAIN.replace("rank1 g2 step 1 bb", "rank1 g2 step 1 xx")
    assert replicas_agree(history(transcript)).valid is True
    assert "step 1 was done in 2 ways" in invalid(one_history(history(transcript)))


def test_steps_without_digests_cannot_be_compared() -> None:
    done: list[dict[str, object]] = [{"node": f"rank{n}", "generation": n, "step": 0, "done_ns": n} for n in (1, 2)]
    assert one_history(History.of([], steps=done)).valid is None
    assert one_history(History.of([], steps=[done[0], done[1] | {"parameters": "aa"}])).why == "1 step, each done in one way"


def test_a_rank_alone_has_no_other_to_agree_with() -> None:
    assert replicas_agree(history("rank0 g1 step 0 aa 0:1 at 1.0")).valid is None
    assert replicas_agree(history("rank0 g1 step 0 aa 0:1 at 1.0\n rank0 g1 step 0 aa 0:1 at 1.5")).valid is None
    assert one_history(history("rank0 g1 step 0 aa 0:1 at 1.0")).valid is True


# ------------------------------------------------------------------------------------------------------------ one_group


def formed(transcript: str, *groups: tuple[str, int, str]) -> History:
    """The history of a transcript in which coordinators formed groups of these generations."""
    rows = [
        {"at_ns": 0, "node": by, "kind": "formed", "detail": f'{{"generation": {generation}, "members": ["{members}"]}}'}
        for by, generation, members in groups
    ]
    return replace(history(transcript), events=frame(EVENTS, rows))


def test_groups_that_train_one_after_another_are_right() -> None:
    found = formed(FAILED_AND_DONE_AGAIN, ("coordinator1", 1, "rank0"), ("coordinator2", 2, "rank1"))
    assert groups.applies(found)
    assert not groups.applies(history(FAILED_AND_DONE_AGAIN))
    assert one_group(found).valid is True
    assert one_group(formed("", ("coordinator1", 1, "rank0"))).valid is None


def test_a_generation_that_was_formed_twice_is_found() -> None:
    found = formed(FAILED_AND_DONE_AGAIN, ("coordinator1", 2, "rank0"), ("coordinator2", 2, "rank1"))
    assert "generation 2 was formed twice: rank0 by coordinator1; rank1 by coordinator2" in invalid(one_group(found))


def test_an_event_that_cannot_be_read_leaves_it_open() -> None:
    found = formed(FAILED_AND_DONE_AGAIN, ("coordinator1", 2, "rank0"))
    found.events.loc[0, "detail"] = "{}"
    assert one_group(found).valid is None


def test_a_group_that_goes_on_beside_a_later_one_is_found_though_its_steps_are_right() -> None:
    transcript = FAILED_AND_DONE_AGAIN + "rank0 g1 step 2 cc 1:2,1:3,1:4 at 1.9"
    found = formed(transcript, ("coordinator1", 1, "rank0"), ("coordinator2", 2, "rank1"))
    assert one_history(found).valid is True
    why = "rank0 began step 2 of generation 1 at 1.90 s and did it: generation 2 (rank1 by coordinator2) had trained since"
    assert why in invalid(one_group(found))


def test_a_step_that_was_under_way_when_the_next_group_began_may_end() -> None:
    found = formed(FAILED_AND_DONE_AGAIN + "rank0 g1 step 2 cc 1:2,1:3,1:4 at 1.2", ("coordinator1", 1, "rank0"))
    found.steps.loc[found.steps.index[-1], "done_ns"] = 2 * NS_PER_S
    assert one_group(found).valid is True


# ---------------------------------------------------------------------------------------------------- every_sample_once


@pytest.mark.parametrize(
    ("right", "wrong", "told"),
    [
        ("rank1 g3 step 2 cc 1:3 ", "rank1 g3 step 2 cc 1:2 ", "1 used more than once: 1:2; 1 never used: 1:3"),
        ("rank0 g3 step 2 cc 1:2,1:4", "rank0 g3 step 2 cc 1:2", "1 never used: 1:4"),
        ("rank0 g3 step 2 cc 1:2,1:4", "rank0 g3 step 2 cc 0:2,1:4", "1 used more than once: 0:2; 1 never used: 1:2"),
        ("rank0 g3 step 2 cc 1:2,1:4", "rank0 g3 step 2 cc 1:2,1:4,1:9", "1 used and not due: 1:9"),
        ("g2 step 1 bb 0:4,0:5,1:1", "g2 step 1 bb 0:4,0:5", "1 never used: 1:1"),
        ("rank0 g1 step 0 aa 0:1,0:3", "rank0 g1 step 0 aa 0:1,0:1,0:3", "1 used more than once: 0:1"),
    ],
)
def test_samples_that_are_repeated_or_missing_are_named(right: str, wrong: str, told: str) -> None:
    assert right in FAILED_AND_DONE_AGAIN
    assert told in invalid(every_sample_once(history(FAILED_AND_DONE_AGAIN.replace(right, wrong))))


def test_what_a_rank_contributed_before_it_died_counts() -> None:
    transcript = """
        control step 0 aa 0:1,0:2
        rank0 g1 step 0 aa 0:1 at 1.0
        rank1 g1 step 0 -  0:2 at 1.0   # killed when all had its gradient
    """
    assert every_sample_once(history(transcript)).valid is True


def test_what_was_begun_in_a_group_that_failed_does_not_count() -> None:
    transcript = """
        control step 0 aa 0:1,0:2
        rank0 g1 step 0 -  0:1 at 1.0
        rank1 g1 step 0 -  0:2 at 1.0
        rank0 g2 step 0 aa 0:1,0:2 at 1.0
    """
    assert every_sample_once(history(transcript)).valid is True


def test_a_step_that_was_left_out_is_a_hole() -> None:
    transcript = "\n".join(line for line in FAILED_AND_DONE_AGAIN.splitlines() if "step 1" not in line or "control" in line)
    assert "3 never used: 0:4, 0:5, 1:1" in invalid(every_sample_once(history(transcript)))


def two_epochs(second: list[int]) -> str:
    """60 samples in steps of 8, so that the second epoch begins in the middle of a step."""
    stream = [f"0:{sample}" for sample in range(60)] + [f"1:{sample}" for sample in second]
    steps = [",".join(stream[at : at + 8]) for at in range(0, len(stream), 8)]
    return "\n".join(
        line
        for number, uses in enumerate(steps)
        for line in (f"control step {number} aa {uses}", f"rank0 g1 step {number} aa {uses} at {number}.0")
    )


def test_an_epoch_in_the_order_of_the_one_before_is_found() -> None:
    why = invalid(every_sample_once(history(two_epochs(list(range(60))))))
    assert "epoch 1 takes the samples in the order of epoch 0" in why


def test_an_epoch_in_another_order_is_right() -> None:
    assert every_sample_once(history(two_epochs([sample * 7 % 60 for sample in range(60)]))).valid is True
    assert every_sample_once(history(two_epochs(list(reversed(range(60)))))).valid is True


def test_few_samples_in_the_same_order_show_nothing() -> None:
    assert every_sample_once(history(two_epochs(list(range(20))))).valid is True


# ------------------------------------------------------------------------------------------------------------ recovered


def test_all_ranks_in_one_group_after_the_last_fault_is_recovered() -> None:
    assert recovered(history(FAILED_AND_DONE_AGAIN, (1.05, 1.5))).valid is True


def test_a_rank_that_stays_out_is_found_and_named() -> None:
    transcript = FAILED_AND_DONE_AGAIN.replace("rank1 g3", "rank9 g3")
    why = invalid(recovered(history(transcript, (1.05, 1.5))))
    assert "1 rank of 2 out for good: rank1, 8.5 s after the last fault was healed" in why


TAKEN_OVER = """
    master  g1 step 0 aa 0:1,0:2 at 1.0
    worker1 g1 step 0 aa ,       at 1.0
    worker2 g1 step 0 aa ,       at 1.0
    standby g2 step 1 bb 0:3,0:4 at 4.0
    worker1 g2 step 1 bb ,       at 4.0
    worker2 g2 step 1 bb ,       at 4.0
"""


def test_a_master_may_be_replaced_and_its_workers_must_come_back() -> None:
    verdict = recovered(history(TAKEN_OVER, (1.5, 3.0)))
    assert verdict.valid is True
    assert verdict.why == "train together again when all faults were healed: worker1, worker2"
    shunned = TAKEN_OVER.replace("worker2 g2 step 1 bb", "worker2 g2 step 1 - ")
    assert "out for good: worker2" in invalid(recovered(history(shunned, (1.5, 3.0))))
    alone = TAKEN_OVER.replace("standby g2 step 1 bb", "standby g2 step 1 - ")
    assert "out for good: master" in invalid(recovered(history(alone, (1.5, 3.0))))


def test_ranks_that_train_in_two_groups_have_not_recovered() -> None:
    transcript = FAILED_AND_DONE_AGAIN.replace("rank1 g3", "rank1 g2")
    assert "out for good: rank1" in invalid(recovered(history(transcript, (1.05, 1.5))))


def test_a_group_that_forms_as_the_record_ends_is_in_the_middle_of_its_first_step() -> None:
    transcript = f"{FAILED_AND_DONE_AGAIN}\n rank0 g4 step 3 dd 2:1 at 9.9\n rank1 g4 step 3 - 2:2 at 9.9"
    assert recovered(history(transcript, (1.05, 1.5))).valid is True
    stuck = transcript.replace("2:2 at 9.9", "2:2 at 7.5")
    assert "out for good: rank1" in invalid(recovered(history(stuck, (1.05, 1.5))))


def test_a_training_that_stands_still_is_found() -> None:
    assert "no rank trains" in invalid(recovered(history(FAILED_AND_DONE_AGAIN, (1.05, 3.0))))


def test_a_record_that_ends_too_soon_is_unknown() -> None:
    verdict = recovered(history(FAILED_AND_DONE_AGAIN, (1.05, 3.0), ends_s=4.0))
    assert verdict.valid is None
    assert "not back 1.0 s after the last fault, when the record ends: rank0, rank1" in verdict.why


@pytest.mark.parametrize(("machine_s", "valid"), [(16.0, None), (3.0, False)])
def test_a_rank_that_others_kept_from_running_is_unknown(machine_s: float, valid: bool | None) -> None:
    """rank0 waited for half of the ten seconds: for others on the machine, or for the run's own processes."""
    found = history(FAILED_AND_DONE_AGAIN.replace("rank1 g3", "rank9 g3"), (1.05, 1.5))
    looks = [
        {"at_ns": at_s * NS_PER_S, "node": node, "pid": pid, "moment": "load", "ran_ns": ran * NS_PER_S, "waited_ns": waited}
        for at_s, share in ((0, 0), (10, 1))
        for node, pid, ran, waited in (("rank0", 7, 2 * share, 5 * share * NS_PER_S), ("", 0, int(machine_s) * share, 0))
    ]
    verdict = recovered(replace(found, usage=frame(USAGE, looks)))
    assert verdict.valid is valid
    assert ("but the machine was busy: others used its CPUs" in verdict.why) is (valid is None)


def test_a_fault_that_was_never_healed_is_unknown() -> None:
    assert recovered(history(FAILED_AND_DONE_AGAIN, (1.05, None))).valid is None
    assert recovered(history(FAILED_AND_DONE_AGAIN)).valid is None


def invalid(verdict: Verdict) -> str:
    """Why a history was rejected."""
    assert verdict.valid is False, verdict.why
    return verdict.why
