"""Which ranks are in the group, and when that changes, from what was heard and when."""

from __future__ import annotations

from itertools import combinations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from systems.training.membership import Group, Limits, Membership, choose
from systems.training.messages import NO_STATE, Beat, Phase, Prepared

RANKS = ("rank0", "rank1", "rank2")
LIMITS = Limits(silent_s=0.5, waiting_s=0.6, forming_s=3, gather_s=1.5)
GROUP = Group(generation=4, members=RANKS, incarnations=dict.fromkeys(RANKS, 7))


def beat(name: str, *, generation: int = 4, phase: Phase = "training", **other: object) -> Beat:
    plain = Beat(name=name, incarnation=7, generation=generation, phase=phase, step=10, waiting_s=0, error="")
    return msgspec.structs.replace(plain, **other)


def well(now_s: float = 0) -> Membership:
    """A group of three that trains."""
    membership = Membership(RANKS, LIMITS, now_s)
    membership.formed(GROUP, now_s)
    hear(membership, now_s)
    assert membership.cause(now_s) is None
    assert membership.complete
    return membership


def hear(membership: Membership, now_s: float, names: tuple[str, ...] = RANKS) -> None:
    for name in names:
        membership.beat(beat(name), now_s)


def why(membership: Membership, now_s: float) -> str | None:
    cause = membership.cause(now_s)
    return None if cause is None else " ".join([*cause.about, cause.why])


def test_a_group_that_goes_well_is_left_alone() -> None:
    membership = well()
    for tick in range(1, 100):
        hear(membership, tick * 0.05)
        assert membership.cause(tick * 0.05) is None


def test_the_first_group_waits_for_all_ranks_but_not_for_ever() -> None:
    membership = Membership(RANKS, LIMITS, 0)
    assert membership.cause(100) is None
    membership.beat(beat("rank1", generation=0, phase="idle"), 100)
    assert membership.cause(100.1) is None
    membership.beat(beat("rank1", generation=0, phase="idle"), 101.6)
    assert why(membership, 101.6) == "there is no group yet"
    both = Membership(RANKS, LIMITS, 0)
    for name in RANKS:
        both.beat(beat(name, generation=0, phase="idle"), 5)
    assert why(both, 5) == "there is no group yet"


def test_a_rank_that_is_silent_ends_the_group() -> None:
    membership = well()
    hear(membership, 0.4, ("rank0", "rank1"))
    assert membership.cause(0.45) is None
    assert why(membership, 0.55) == "rank2 was not heard for 0.5 s"
    assert membership.silent("rank2", 0.55)


def test_a_connection_that_ends_is_known_at_once() -> None:
    membership = well()
    membership.gone("rank1", 6)  # of an earlier incarnation
    assert membership.cause(0.01) is None
    membership.gone("rank1", 7)
    assert why(membership, 0.01) == "rank1 has closed its connection"
    membership.beat(beat("rank1"), 0.02)  # it was the connection alone
    assert membership.cause(0.02) is None


@pytest.mark.parametrize(
    ("other", "told"),
    [
        ({"error": "Connection closed by peer"}, "rank1 left the group: Connection closed by peer"),
        ({"incarnation": 8, "generation": 0, "phase": "idle"}, "rank1 was started again"),
    ],
)
def test_what_a_rank_says_ends_the_group(other: dict[str, object], told: str) -> None:
    membership = well()
    membership.beat(beat("rank1", **other), 0.1)  # type: ignore[arg-type]
    assert why(membership, 0.1) == told


def test_members_that_all_wait_for_one_another_are_cut_off() -> None:
    membership = well()
    for name in ("rank0", "rank1"):
        membership.beat(beat(name, waiting_s=5.0), 0.1)
    membership.beat(beat("rank2", waiting_s=0), 0.1)  # it computes
    assert membership.cause(0.1) is None
    membership.beat(beat("rank2", waiting_s=0.7), 0.2)
    assert why(membership, 0.2) == "all have waited in a collective for 0.6 s"


def test_an_error_of_an_earlier_group_says_nothing_of_this_one() -> None:
    membership = well()
    membership.beat(beat("rank1", generation=3, error="Connection closed by peer"), 0.1)
    assert membership.cause(0.1) is None


def test_a_group_that_does_not_begin_to_train_is_ended() -> None:
    membership = Membership(RANKS, LIMITS, 0)
    membership.formed(GROUP, 0)
    for tick in range(70):
        hear(membership, tick * 0.05, ("rank0", "rank2"))
        membership.beat(beat("rank1", phase="forming", waiting_s=tick * 0.05), tick * 0.05)
        if tick * 0.05 <= 3:
            assert membership.cause(tick * 0.05) is None
    assert why(membership, 3.4) == "rank1 does not train 3 s after the group was formed"


def test_ranks_outside_are_those_that_are_heard() -> None:
    membership = Membership(RANKS, LIMITS, 0)
    membership.formed(Group(generation=5, members=("rank0",), incarnations={"rank0": 7}), 0)
    hear(membership, 0.1, ("rank0", "rank2"))
    assert membership.outside(0.1) == ["rank2"]
    assert membership.outside(0.7) == []


def test_when_no_rank_answers_the_next_group_waits_for_ranks_to_come() -> None:
    membership = well()
    membership.disbanded()
    assert membership.cause(0.1) is None
    membership.beat(beat("rank1", generation=0, phase="idle"), 50)
    assert membership.cause(50.1) is None
    for name in RANKS:
        membership.beat(beat(name, generation=0, phase="idle"), 50.4)
    assert why(membership, 50.4) == "there is no group yet"


def test_a_coordinator_that_was_started_again_leaves_its_group_alone_if_it_goes_well() -> None:
    membership = taken_over()
    assert membership.cause(50.2) is None
    hear(membership, 50.3)
    assert membership.cause(50.3) is None
    silent = taken_over()
    for tick in range(1, 70):
        hear(silent, 50 + tick * 0.05, ("rank0", "rank1"))
    assert why(silent, 53.4) == "rank2 was not heard since the coordinator started"


def taken_over(*beats: Beat) -> Membership:
    """Of a coordinator that decides since 50 s, and heard this before."""
    membership = Membership(RANKS, LIMITS, 10)
    for one in beats:
        membership.beat(one, 49.9)
    membership.takes_over(GROUP, 50)
    return membership


def test_a_coordinator_that_takes_over_counts_on_what_it_heard_before() -> None:
    well = taken_over(*(beat(name) for name in RANKS))
    assert well.cause(50) is None
    assert well.complete
    lost = taken_over(*(beat(name) for name in RANKS))
    lost.gone("rank1", 7)
    assert why(lost, 50) == "rank1 has closed its connection"


def test_a_group_that_was_left_unfinished_is_not_waited_for() -> None:
    membership = taken_over(beat("rank0", phase="forming"), beat("rank1", phase="forming"), beat("rank2", generation=3))
    assert membership.cause(50.2) is None
    for name in RANKS:
        membership.beat(beat(name, phase="forming"), 50.3)
    assert why(membership, 50.35) == "rank0 does not train 0.3 s after the group was taken over"
    membership.formed(GROUP, 50.4)
    for name in RANKS:
        membership.beat(beat(name, phase="forming"), 50.8)
    assert membership.cause(50.9) is None  # its own group has more time


# ----------------------------------------------------------------------------------------------- who is in the next one


def answers(steps: dict[str, int], cut: set[frozenset[str]] = frozenset()) -> dict[str, Prepared]:  # type: ignore[assignment]
    names = sorted(steps)
    return {
        name: Prepared(
            incarnation=7,
            step=steps[name],
            done=(steps[name], 0),
            reached=tuple(other for other in names if other > name and frozenset((name, other)) not in cut),
        )
        for name in names
    }


def test_all_that_answer_and_reach_each_other_are_in() -> None:
    assert choose(answers({"rank0": 5, "rank2": 6})) == ("rank0", "rank2")
    assert choose({}) == ()


def test_two_that_do_not_reach_each_other_are_not_both_in() -> None:
    cut = {frozenset(("rank0", "rank1"))}
    assert choose(answers({"rank0": 5, "rank1": 5, "rank2": 5}, cut)) == ("rank0", "rank2")
    assert choose(answers({"rank0": 5, "rank1": 6, "rank2": 5}, cut)) == ("rank1", "rank2")


def test_a_rank_with_parameters_counts_more_than_many_without() -> None:
    cut = {frozenset(("rank0", other)) for other in ("rank1", "rank2")}
    steps = {"rank0": 40, "rank1": NO_STATE, "rank2": NO_STATE}
    assert choose(answers(steps, cut)) == ("rank0",)


@pytest.mark.parametrize(
    ("done", "members"),
    [
        (((50, 3), (51, 3), (50, 3)), ("rank1",)),
        (((51, 3), (51, 4), (50, 4)), ("rank1",)),
        (((51, 3), (51, 3), (50, 3)), ("rank0", "rank2")),  # rank0 holds the sum that rank1 has applied
    ],
)
def test_no_step_is_undone_for_a_larger_group_if_doing_it_again_gives_other_bits(
    done: tuple[tuple[int, int], ...], members: tuple[str, ...]
) -> None:
    names = ("rank0", "rank1", "rank2")
    cut = {frozenset(("rank1", other)) for other in ("rank0", "rank2")}
    told = answers(dict(zip(names, (50, 51, 50), strict=True)), cut)
    told = {name: msgspec.structs.replace(told[name], done=one) for name, one in zip(names, done, strict=True)}
    assert choose(told) == ("rank0", "rank2")
    assert choose(told, repeatable=False) == members


@given(
    steps=st.dictionaries(st.sampled_from([f"rank{number}" for number in range(6)]), st.integers(-1, 3), max_size=6),
    data=st.data(),
)
def test_the_members_reach_one_another_and_none_could_be_added(steps: dict[str, int], data: st.DataObject) -> None:
    pairs = [frozenset(pair) for pair in combinations(sorted(steps), 2)]
    cut = data.draw(st.sets(st.sampled_from(pairs))) if pairs else set()
    members = choose(answers(steps, cut))
    assert list(members) == sorted(members)
    assert not any(frozenset(pair) in cut for pair in combinations(members, 2))
    for other in steps.keys() - set(members):
        assert any(frozenset((other, member)) in cut for member in members)
