"""Whether the nodes hold no more in the end than they can have a use for."""

from __future__ import annotations

from typing import Final

import msgspec
import pandas as pd

from harness.checkers._wording import count, listed
from harness.model.history import History
from harness.model.system import CLIENT
from harness.model.verdict import Verdict

ALLOWANCE: Final = 16
"""So many of each kind a node may have more than soon after its start: what it opens or begins when it is first needed, and
health checks that are under way. A leak grows with the load, and passes this in any drill that has the traffic to show it."""


def nothing_leaked(history: History) -> Verdict:
    """When all is over and healed, no node has lost track of connections, or has files, tasks or requests that pile up.

    Two looks at the same process are compared: soon after its start and in the end, which may be some seconds after the
    last call if there still is something to find. A node may have 16 more than at its start of each of these: sockets that
    it neither accepted, nor uses, nor keeps idle; other open files; idle connections, by address, beyond the most that were
    ever in use at once; requests to others that are under way; tasks. Sockets of a node that opens its connections by other
    means than this project's clients are not judged. Unknown if a node could not be looked at, or still works off what was
    asked of it.
    """
    looks = _looks(history.usage)
    ends = [look for look in looks if look.moment == "end"]
    if not ends:
        return Verdict(valid=None, why="what the nodes held in the end was not recorded")
    starts = {look.pid: look for look in reversed(looks) if look.moment == "start" and look.whole}
    overs = {look.pid: look for look in looks if look.moment == "over" and look.whole}
    seen = [end for end in ends if end.whole and end.pid in starts]
    told = [why for end in seen if (why := _piled_up(starts[end.pid], end, overs.get(end.pid)))]
    if told:
        return Verdict(valid=False, why="; ".join(told))
    blind = [end.node for end in ends if not end.whole or end.pid not in starts]
    if blind:
        return Verdict(valid=None, why=f"what {listed(blind)} held could not be seen")
    working = [why for end in seen if (why := _piled_up(starts[end.pid], end, None))]
    if working:
        return Verdict(valid=True, why=f"nothing leaked, and some work is not done yet: {'; '.join(working)}")
    most = max(ends, key=lambda look: look.descriptors or 0)
    return Verdict(valid=True, why=f"nothing piled up on {count(len(ends), 'node')}; {most.node} has the most: {most.held}")


_WORK: Final = ("requests under way", "tasks")


class _Look(msgspec.Struct, frozen=True, kw_only=True):
    node: str
    pid: int
    moment: str
    descriptors: int | None
    sockets: int | None
    tasks: int | None
    accepted: int | None
    in_use: int | None
    idle: int | None
    surplus: int | None
    opened: int | None

    @property
    def whole(self) -> bool:
        """The kernel told what it holds, and the node itself did."""
        return self.descriptors is not None and self.tasks is not None

    @property
    def held(self) -> str:
        return (
            f"{self.descriptors} descriptors, of which {self.sockets} are sockets ({self.accepted} accepted, {self.in_use} in"
            f" use, {self.idle} idle), and {self.tasks} tasks"
        )

    def counts(self) -> dict[str, int]:
        sockets = self.sockets or 0
        known = (self.accepted or 0) + (self.in_use or 0) + (self.idle or 0)
        return {
            # The kernel and the node are asked one after the other: a connection may come in between.
            "sockets that it lost track of": max(0, sockets - known) if self.opened else 0,
            "open files": (self.descriptors or 0) - sockets,
            # Each client of a load has connections of its own, which it cannot lend to another one.
            "idle connections that it has no use for": 0 if self.node == CLIENT else self.surplus or 0,
            "requests under way": self.in_use or 0,
            "tasks": self.tasks or 0,
        }


def _looks(usage: pd.DataFrame) -> list[_Look]:
    rows = usage[usage["moment"].isin(["start", "over", "end"]) & (usage["node"] != "")][list(_Look.__struct_fields__)]
    plain = rows.astype(object).where(rows.notna(), None)
    return msgspec.convert(plain.to_dict("records"), list[_Look])


def _piled_up(start: _Look, end: _Look, over: _Look | None) -> str | None:
    """What is too much, but for work that has become less since all was over."""
    before, at_first = start.counts(), {} if over is None else over.counts()
    fewer = {what for what in _WORK if end.counts()[what] < at_first.get(what, 0)}
    more = {what: now - before[what] for what, now in end.counts().items() if what not in fewer}
    told = [f"{number} {what}" for what, number in more.items() if number > ALLOWANCE]
    return f"{end.node} ended with {', '.join(told)} more than at its start: {end.held}" if told else None


def applies(history: History) -> bool:
    """Whether it was recorded what the nodes held in the end."""
    return bool((history.usage["moment"] == "end").any())
