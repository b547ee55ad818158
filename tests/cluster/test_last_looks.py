"""The last look at what processes hold: one look if it is settled, otherwise the first and the last."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from harness.cluster.usage import MACHINE, Usage, with_last_looks


def row(node: str, moment: str, at_ns: int) -> Usage:
    return Usage(at_ns=at_ns, node=node, pid=1, moment=moment)


def looks(settled_after: int, within_s: float) -> list[tuple[str, str, int]]:
    """(node, moment, which look) of the rows, if everything has settled after this many looks."""
    seen = 0

    async def look() -> list[Usage]:
        nonlocal seen
        seen += 1
        return [row(MACHINE, "end", seen), row("n1", "end", seen)]

    def settled(rows: Sequence[Usage]) -> bool:
        assert [one.moment for one in rows if one.node == "n1"] == ["start", *(["over"] if seen > 1 else []), "end"]
        return seen >= settled_after

    found = asyncio.run(with_last_looks([row("n1", "start", 0)], look, settled, within_s=within_s, again_s=0.0))
    return [(one.node, one.moment, one.at_ns) for one in found]


@pytest.mark.parametrize(("settled_after", "within_s"), [(1, 60.0), (9, 0.0)], ids=["settled", "no time is left"])
def test_one_look_is_all_if_it_is_settled_or_there_is_no_time(settled_after: int, within_s: float) -> None:
    assert looks(settled_after, within_s) == [("n1", "start", 0), (MACHINE, "end", 1), ("n1", "end", 1)]


def test_of_several_looks_the_first_at_the_nodes_and_the_last_are_kept() -> None:
    assert looks(4, 60.0) == [("n1", "start", 0), ("n1", "over", 1), (MACHINE, "end", 4), ("n1", "end", 4)]
