"""Of the limits of several windows, the strictest applies, in whatever order windows begin and end."""

from __future__ import annotations

import errno
import resource

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.cluster.cgroups import CpuGroup
from harness.cluster.cpu_quotas import CpuQuotas
from harness.cluster.limits import Limits
from harness.cluster.process_limits import ProcessLimits
from harness.model.errors import FaultError

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


def test_the_earlier_limit_is_read_again_after_all_windows_have_ended() -> None:
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

    with pytest.raises(FaultError, match=r"the control group could not be removed: .*busy"):
        quotas.release("w0")

    assert groups[2].dissolved


def test_a_process_that_cannot_be_limited_ends_what_else_its_window_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    soft = {1: 1024, 2: 1024}

    class Process:
        def __init__(self, pid: int) -> None:
            self.pid = pid

        def rlimit(self, which: int, limits: tuple[int, int] | None = None) -> tuple[int, int]:
            if limits is not None and self.pid == 2:
                raise psutil.AccessDenied(self.pid)
            if limits is not None:
                soft[self.pid] = limits[0]
            return soft[self.pid], 4096

    monkeypatch.setattr(psutil, "Process", Process)
    limits = ProcessLimits()
    limits.take(1, resource.RLIMIT_NOFILE, "w0", 50)
    assert soft[1] == 50
    with pytest.raises(FaultError, match="pid=2"):
        limits.take(2, resource.RLIMIT_NOFILE, "w0", 50)
    assert soft == {1: 1024, 2: 1024}
