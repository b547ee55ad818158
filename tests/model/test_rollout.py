"""The rolling deploy's machine: one node at a time, verified before the next, back where one is not well."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.model.rollout import Rollout, Step


def carried_out(rollout: Rollout, wrong: set[Step]) -> list[Step]:
    """Do every step; steps in `wrong` fail."""
    steps: list[Step] = []
    while (step := rollout.next()) is not None:
        steps.append(step)
        rollout.done("bad" if step in wrong else None)
    return steps


def test_each_node_is_verified_before_the_next_is_touched() -> None:
    rollout = Rollout(["r1", "r2"], old="v1", new="v2")
    assert [(step.action, step.node, step.version) for step in carried_out(rollout, set())] == [
        ("replace", "r1", "v2"),
        ("verify", "r1", "v2"),
        ("replace", "r2", "v2"),
        ("verify", "r2", "v2"),
    ]
    assert (rollout.result, rollout.why) == ("deployed", "")


def test_one_that_is_not_well_brings_all_back_itself_first() -> None:
    rollout = Rollout(["r1", "r2", "r3"], old="v1", new="v2")
    steps = carried_out(rollout, {Step("verify", "r2", "v2")})
    assert [step.node for step in steps if step == Step("replace", step.node, "v1")] == ["r2", "r1"]
    assert "r3" not in {step.node for step in steps}
    assert (rollout.result, rollout.why) == ("rolled back", "r2 as v2: bad")


def test_one_that_cannot_go_back_leaves_the_others() -> None:
    rollout = Rollout(["r1", "r2"], old="v1", new="v2")
    carried_out(rollout, {Step("verify", "r2", "v2"), Step("verify", "r2", "v1")})
    assert (rollout.result, rollout.why) == ("stuck", "r2 as v2: bad; r2 as v1: bad")


def test_when_it_is_over_nothing_can_be_done() -> None:
    rollout = Rollout([], old="v1", new="v2")
    assert rollout.next() is None
    with pytest.raises(ValueError, match="over"):
        rollout.done(None)


@given(count=st.integers(1, 6), data=st.data())
def test_whatever_goes_wrong_one_node_is_out_at_a_time_and_versions_agree_in_the_end(count: int, data: st.DataObject) -> None:
    names = [f"r{number}" for number in range(count)]
    rollout = Rollout(names, old="v1", new="v2")
    runs, unverified = dict.fromkeys(names, "v1"), set[str]()
    while (step := rollout.next()) is not None:
        if step.action == "replace":
            runs[step.node] = step.version
            assert unverified <= {step.node}
            unverified.add(step.node)
        else:
            assert runs[step.node] == step.version
            unverified.discard(step.node)
        wrong = data.draw(st.booleans())
        if wrong:
            unverified.discard(step.node)  # it is gone back from, or is a person's matter
        rollout.done("bad" if wrong else None)
    expected = {"deployed": {"v2"}, "rolled back": {"v1"}, "stuck": set(runs.values())}
    assert rollout.result is not None
    assert set(runs.values()) == expected[rollout.result]
