"""Whether each start of a node had a number of its own."""

from __future__ import annotations

from typing import Final

import msgspec

from harness.checkers._wording import count
from harness.model.history import History
from harness.model.verdict import Verdict

_KIND: Final = "numbered"


class _Started(msgspec.Struct, frozen=True):
    start: int


def starts_differ(history: History) -> Verdict:
    """No node starts twice under one number.

    Of events of kind "numbered", whose detail is `{"start": 3}`: a node emits one each time that it has read its disk, with the
    number that what it writes from then on is known by. If a number comes twice, two things may bear one name; which calls see
    that depends on which replicas are asked, and few do. Unknown if no node told of a start. O(n).
    """
    events = history.events[(history.events["kind"] == _KIND).to_numpy(dtype=bool)].sort_values("at_ns", kind="stable")
    first: dict[tuple[str, int], int] = {}
    nodes: dict[str, int] = {}
    for at_ns, node, detail in zip(events["at_ns"].tolist(), events["node"].array, events["detail"].array, strict=True):
        try:
            start = msgspec.json.decode(detail if isinstance(detail, str) else "", type=_Started).start
        except msgspec.DecodeError as error:
            return Verdict(valid=None, why=f"the event {_KIND} of {node} at {at_ns / 1e9:.3f} s says {detail}: {error}")
        nodes[node] = nodes.get(node, 0) + 1
        before_ns = first.setdefault((node, start), at_ns)
        if before_ns != at_ns:
            return Verdict(
                valid=False,
                why=f"{node} started at {before_ns / 1e9:.3f} s and again at {at_ns / 1e9:.3f} s under the number {start}",
            )
    if not nodes:
        return Verdict(valid=None, why="no node told of a start")
    return Verdict(
        valid=True, why=f"{count(sum(nodes.values()), 'start')} of {count(len(nodes), 'node')}, each with its number"
    )


def applies(history: History) -> bool:
    """Whether nodes told of their starts."""
    return bool((history.events["kind"] == _KIND).any())
