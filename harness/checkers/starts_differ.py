"""Check that each start of a node has its own number."""

from __future__ import annotations

from typing import Final

import msgspec

from harness.checkers._wording import count
from harness.model.history import History
from harness.model.node_events import BrokenEvent, told
from harness.model.verdict import Verdict

_KIND: Final = "numbered"


class _Started(msgspec.Struct, frozen=True):
    start: int


def starts_differ(history: History) -> Verdict:
    """No node starts twice under the same number.

    Judges events of kind "numbered", whose detail is `{"start": 3}`: a node emits one each time it has read its disk, with the
    number by which it names what it writes from then on. If a number comes twice, two things may have the same name; whether
    a call sees that depends on which replicas are asked, and few do. Unknown if no node reported a start. O(n).
    """
    try:
        starts = told(history, {_KIND: _Started})
    except BrokenEvent as error:
        return Verdict(valid=None, why=str(error))
    first: dict[tuple[str, int], int] = {}
    nodes: dict[str, int] = {}
    for at_ns, node, started in starts:
        nodes[node] = nodes.get(node, 0) + 1
        before_ns = first.setdefault((node, started.start), at_ns)
        if before_ns != at_ns:
            twice = f"{node} started at {before_ns / 1e9:.3f} s and again at {at_ns / 1e9:.3f} s"
            return Verdict(valid=False, why=f"{twice} under the number {started.start}")
    if not nodes:
        return Verdict(valid=None, why="no node told of a start")
    return Verdict(
        valid=True, why=f"{count(sum(nodes.values()), 'start')} of {count(len(nodes), 'node')}, each with its number"
    )


def applies(history: History) -> bool:
    """Whether nodes reported their starts."""
    return bool((history.events["kind"] == _KIND).any())
