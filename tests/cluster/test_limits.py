"""Of the limits that windows ask for the strictest holds, in whatever order they begin and end."""

from __future__ import annotations

import errno

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.cluster.cgroups import CpuGroup
from harness.cluster.cpu_quotas import CpuQuotas
from harness.cluster.limits import Limits

_LABELS = ("w0", "w1", "w2")


@given(
    before=st.integers(0, 9),
    steps=st.lists(st.tuples(st.sampled_from(_LABELS), st.sampled_from("ab"), st.one_of(st.none(), st.integers(0, 9)))),
)
def test_strictest_limit_holds_and_the_last_one_to_go_puts_back_what_was_before(
    before: int, steps: list[tuple[str, str, int | None]]
) -> None:
    limits: Limits[str] = Limits()
    asked: dict[str, dict[str, int]] = {"a": {}, "b": {}}
    holding: dict[str, float] = {"a": before, "b": before}
    for label, thing, limit in steps:
        if limit is None:
            holding |= limits.release(label)
            for of_thing in asked.values():
                of_thing.pop(label, None)
        else:
            asked[thing][label] = limit
            holding[thing] = limits.take(thing, label, limit, before)
        assert holding == {name: min([before, *of_thing.values()]) for name, of_thing in asked.items()}


def test_what_was_before_is_asked_anew_when_nobody_limits_any_more() -> None:
    limits: Limits[str] = Limits()
    assert limits.take("a", "w0", 5, before=9) == 5
    assert limits.release("w0") == {"a": 9}
    assert limits.take("a", "w1", 5, before=7) == 5
    assert limits.release("w1") == {"a": 7}
    assert limits.release("w1") == {}


class _StuckGroup:
    """A control group; `stuck` ones cannot be removed."""

    def __init__(self, stuck: bool) -> None:
        self.stuck = stuck
        self.dissolved = False

    def limit(self, share: float) -> None: ...

    def dissolve(self) -> None:
        self.dissolved = True
        if self.stuck:
            raise OSError(errno.EBUSY, "busy")


def test_a_cpu_limit_that_cannot_be_ended_does_not_keep_the_others_of_its_window(monkeypatch: pytest.MonkeyPatch) -> None:
    groups = {pid: _StuckGroup(stuck=pid == 1) for pid in (1, 2)}
    monkeypatch.setattr(CpuGroup, "create", lambda pid, remove_at_end: groups[pid])
    quotas = CpuQuotas(lambda group: None)
    for pid in groups:
        quotas.take(pid, "w0", 0.5)

    with pytest.raises(OSError, match="busy"):
        quotas.release("w0")

    assert groups[2].dissolved
