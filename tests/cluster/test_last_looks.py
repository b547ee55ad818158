"""The last look at what processes hold: one look if nothing is left to do, otherwise the first and the last."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from harness.cluster.usage import MACHINE, Usage, with_last_looks


class Clock(asyncio.SelectorEventLoop):
    """A loop whose time only `look` lets go on."""

    now_s = 0.0

    def time(self) -> float:
        return self.now_s


def row(node: str, moment: str, at_ns: int) -> Usage:
    return Usage(at_ns=at_ns, node=node, pid=1, moment=moment)


def looks(*left: int, within_s: float = 5.0, most_s: float = 60.0) -> list[tuple[str, str, int]]:
    """(node, moment, which look) of the rows, if this much is left to do at each look, the last for ever; one look a second."""
    clock, seen = Clock(), 0

    async def look() -> list[Usage]:
        nonlocal seen
        seen += 1
        clock.now_s += 1
        return [row(MACHINE, "end", seen), row("n1", "end", seen)]

    def left_at(rows: Sequence[Usage]) -> int:
        assert [one.moment for one in rows if one.node == "n1"] == ["start", *(["over"] if seen > 1 else []), "end"]
        return left[min(seen, len(left)) - 1]

    with asyncio.Runner(loop_factory=lambda: clock) as runner:
        found = runner.run(
            with_last_looks([row("n1", "start", 0)], look, left_at, within_s=within_s, most_s=most_s, again_s=0.0)
        )
    return [(one.node, one.moment, one.at_ns) for one in found]


def first_and_last(last: int) -> list[tuple[str, str, int]]:
    return [("n1", "start", 0), ("n1", "over", 1), (MACHINE, "end", last), ("n1", "end", last)]


@pytest.mark.parametrize(("left", "within_s"), [(0, 60.0), (9, 0.0)], ids=["nothing is left", "no time is left"])
def test_one_look_is_all_if_nothing_is_left_or_there_is_no_time(left: int, within_s: float) -> None:
    assert looks(left, within_s=within_s) == [("n1", "start", 0), (MACHINE, "end", 1), ("n1", "end", 1)]


def test_of_several_looks_the_first_at_the_nodes_and_the_last_are_kept() -> None:
    assert looks(3, 3, 3, 0) == first_and_last(4)


def test_what_stays_is_waited_for_in_vain() -> None:
    assert looks(3) == first_and_last(6)


def test_what_becomes_less_and_more_again_does_not_come_nearer_to_the_end() -> None:
    assert looks(3, *[2, 3] * 20) == first_and_last(7)


def test_what_becomes_less_is_waited_for() -> None:
    assert looks(*[left for left in (9, 8, 7, 6, 5) for _ in range(4)], 0) == first_and_last(21)


def test_not_even_that_is_waited_for_all_day() -> None:
    assert looks(*range(99, 0, -1)) == first_and_last(60)
