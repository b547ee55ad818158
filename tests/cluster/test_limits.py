"""Of the limits that windows ask for the strictest holds, in whatever order they begin and end."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

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
