"""The invariant of a training's coordinators, on states that it must accept and states that it must reject."""

from __future__ import annotations

from systems.training.messages import Form
from tests.helpers.one_group_at_a_time import OneGroupAtATime
from tests.helpers.stand_in_rank import ShownRank

RANKS = ("rank0", "rank1", "rank2")


def rank(generation: int, *members: str, by: str = "coordinator1", promised: int | None = None, **other: object) -> ShownRank:
    """A rank that has joined the group of this generation, and trains in it unless it has promised itself to a later one."""
    promised = generation if promised is None else promised
    shown = ShownRank(
        incarnation=1,
        promised=promised,
        form=Form(generation=generation, members=members or RANKS, coordinator=by) if generation else None,
        joined_s=float(generation),
        inside=promised == generation > 0,
        phase="training" if promised == generation > 0 else "idle",
        step=0,
        did=None,
    )
    return shown._replace(**other)  # type: ignore[arg-type]


def invariant(coordinators: int = 3) -> OneGroupAtATime:
    """The coordinators are down: only what ranks show is judged."""
    return OneGroupAtATime([f"coordinator{number}" for number in range(1, coordinators + 1)], RANKS)


def test_groups_one_after_another_are_right() -> None:
    holds = invariant()
    assert holds.broken({name: rank(1) for name in RANKS}) is None
    halves = {"rank0": rank(1, promised=2), "rank1": rank(2, "rank1", "rank2"), "rank2": rank(2, "rank1", "rank2")}
    assert holds.broken(halves) is None
    assert holds.broken({**halves, "rank0": rank(0, incarnation=2)}) is None, "a restarted rank has promised nothing"
    assert holds.broken({name: rank(3, did=(3, 3.5)) for name in RANKS}) is None
    assert holds.apart({name: rank(3) for name in RANKS}) == "no node leads"
    assert invariant(coordinators=1).apart({name: rank(3) for name in RANKS}) is None


def test_a_rank_that_goes_back_is_found() -> None:
    holds = invariant()
    assert holds.broken({"rank0": rank(1, promised=3)}) is None
    why = holds.broken({"rank0": rank(1, promised=2)})
    assert why == "rank0 had promised itself to generation 3, and now only to 2"


def test_two_groups_of_one_generation_are_found() -> None:
    for other in (rank(1, "rank1", "rank2"), rank(1, by="coordinator2")):
        assert "generation 1 is" in (invariant().broken({"rank0": rank(1), "rank1": other}) or "")
    assert "is no member" in (invariant().broken({"rank0": rank(1, "rank1", "rank2")}) or "")


def test_a_group_beside_the_last_one_is_found_if_there_are_several_coordinators() -> None:
    states = {"rank0": rank(1, "rank0", "rank1"), "rank1": rank(1, "rank0", "rank1"), "rank2": rank(2, "rank2")}
    assert invariant().broken(states) == "generation 2 is rank2, and nobody has left 1: rank0 rank1"
    assert invariant(coordinators=1).broken(states) is None


def test_a_step_begun_after_a_later_group_was_formed_is_found() -> None:
    states = {"rank0": rank(1, promised=2, did=(1, 1.9)), "rank1": rank(2, "rank1", "rank2")}
    assert invariant().broken(states) is None
    states["rank0"] = rank(1, promised=2, did=(1, 2.1))
    assert "did a step of generation 1 that it began 0.100 s after generation 2" in (invariant().broken(states) or "")


def test_ranks_that_do_not_train_together_are_apart() -> None:
    alone = invariant(coordinators=1)
    assert alone.apart({"rank0": rank(1), "rank1": rank(1)}) == "rank2 is in no group"
    assert "does not train" in (alone.apart({name: rank(1, promised=2) for name in RANKS}) or "")
    assert "alone" in (alone.apart({name: rank(1, "rank0", "rank1") for name in RANKS}) or "")
    assert "1, 2" in (alone.apart({"rank0": rank(1), "rank1": rank(2), "rank2": rank(2)}) or "")
