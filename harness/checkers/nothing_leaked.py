"""Check that the nodes hold no more resources at the end than they can use."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from harness.checkers._looks import Look, looks_of
from harness.checkers._wording import count, listed
from harness.model.history import History
from harness.model.system import CLIENT
from harness.model.verdict import Verdict

ALLOWANCE: Final = 16
"""How many more of each kind a node may have than soon after its start: what it opens when first needed, and health checks in
progress. A leak grows with the load, and exceeds this in any drill with enough traffic to show it."""

KEPT_PER_CALL: Final = 4
"""How many connections to each of its peers a node with a pool of its own may keep for each call that was under way at once."""


def nothing_leaked(history: History) -> Verdict:
    """When everything is over and healed, no node has lost track of connections, or has files, tasks or requests piling up.

    Two looks at the same process are compared: soon after its start and at the end, which may be some seconds after the last
    call if there is still something to find. A node may have 16 more than at its start of each of these: sockets that it
    neither accepted, nor uses, nor keeps idle; other open files; idle connections, by address, beyond the most that were ever
    in use at once; requests to others in progress; tasks. A node that opens its connections by other means than this
    project's clients does not say which ones it uses: to each of its peers it may have four more for each client, and for each
    call without an answer. Of foreign programs, which do not report what they hold, the kernel shows only the sockets, and the
    verdict names these nodes: a program may have 16 more connections that it accepted and did not close when the other side
    did, and as many more sockets as a node that opens its connections by its own means. Requests and tasks that have become
    fewer since everything was over do not count: the node is still working them off. Unknown if a node could not be looked at.
    """
    looks = looks_of(history.usage)
    verdict = leaked(looks, _may_keep(history))
    if not verdict.valid:
        return verdict
    started = history.events["node"][history.events["kind"] == "started"].unique()
    known = {
        "only sockets are known of programs that do not report what they hold": {one.node for one in looks if one.from_outside},
        "not judged, because they do not report what they hold": {*map(str, started)} - {look.node for look in looks},
    }
    return replace(verdict, why="; ".join([verdict.why, *(f"{how}: {listed(sorted(of))}" for how, of in known.items() if of)]))


def _may_keep(history: History) -> dict[str, int]:
    """How many connections of its own each node may keep in a pool. Nothing can be said if clients made no calls."""
    ops = history.ops
    if ops.empty:
        return {}
    at_once = ops["client"].nunique() + int((ops["outcome"] == "unknown").sum())
    peers = history.links["link"].str.split(">").str[0].value_counts()
    nodes = set(history.usage["node"].unique()) - {CLIENT}
    return {str(node): KEPT_PER_CALL * at_once * max(1, int(peers.get(node, 0))) for node in nodes}


def leaked(looks: Sequence[Look], may_keep: Mapping[str, int] | None = None) -> Verdict:
    """The same, judged from the looks themselves, and from how many connections of its own each node may keep, if known."""
    kept = may_keep or {}
    ends = [look for look in looks if look.moment == "end"]
    if not ends:
        return Verdict(valid=None, why="what the nodes held in the end was not recorded")
    starts = {look.process: look for look in reversed(looks) if look.moment == "start" and _whole(look)}
    overs = {look.process: look for look in looks if look.moment == "over" and _whole(look)}
    seen = [end for end in ends if _whole(end) and end.process in starts]
    told = [why for end in seen if (why := _piled_up(starts[end.process], end, overs.get(end.process), kept))]
    if told:
        return Verdict(valid=False, why="; ".join(told))
    blind = [end.node for end in ends if not _whole(end) or end.process not in starts]
    if blind:
        return Verdict(valid=None, why=f"what {listed(blind)} held could not be seen")
    working = [why for end in seen if (why := _piled_up(starts[end.process], end, None, kept))]
    if working:
        return Verdict(valid=True, why=f"nothing leaked, and some work is not done yet: {'; '.join(working)}")
    most = max(ends, key=lambda look: look.descriptors or 0)
    return Verdict(valid=True, why=f"nothing piled up on {count(len(ends), 'node')}; {most.node} has the most: {_held(most)}")


_OWN: Final = "sockets that it opened by its own means"
_ABANDONED: Final = "connections that only the other side closed"
_WORK: Final = ("requests under way", "tasks")


def _whole(look: Look) -> bool:
    """Whether the kernel reported what it holds, and so did the node itself if it ever does."""
    return look.descriptors is not None and (look.tasks is not None or look.from_outside)


def _held(look: Look) -> str:
    if look.from_outside:
        return (
            f"{look.descriptors} descriptors, of which {look.sockets} are sockets ({look.abandoned} closed by the other side)"
        )
    return (
        f"{look.descriptors} descriptors, of which {look.sockets} are sockets ({look.accepted} accepted, {look.in_use} in"
        f" use, {look.idle} idle), and {look.tasks} tasks"
    )


def _counts(look: Look) -> dict[str, int]:
    sockets = look.sockets or 0
    if look.from_outside:
        abandoned = look.abandoned or 0
        return {_ABANDONED: abandoned, _OWN: sockets - abandoned}
    known = (look.accepted or 0) + (look.in_use or 0) + (look.idle or 0)
    unknown = max(0, sockets - known)  # the kernel and the node are asked one after the other: a connection may come in between
    return {
        "sockets that it lost track of": unknown if look.opened else 0,
        _OWN: 0 if look.opened else unknown,
        "open files": (look.descriptors or 0) - sockets,
        # Each client of a load has connections of its own, which it cannot lend to another one.
        "idle connections that it has no use for": 0 if look.node == CLIENT else look.surplus or 0,
        "requests under way": look.in_use or 0,
        "tasks": look.tasks or 0,
    }


def _piled_up(start: Look, end: Look, over: Look | None, may_keep: Mapping[str, int]) -> str | None:
    """What is too much, except work that has become less since everything was over."""
    before, at_first, at_end = _counts(start), {} if over is None else _counts(over), _counts(end)
    fewer = {what for what in _WORK if at_end.get(what, 0) < at_first.get(what, 0)}
    more = {what: now - before[what] for what, now in at_end.items() if what not in fewer}
    beyond = dict.fromkeys(more, ALLOWANCE) | {_OWN: ALLOWANCE + may_keep.get(end.node, sys.maxsize)}
    told = [f"{number} {what}" for what, number in more.items() if number > beyond[what]]
    return f"{end.node} ended with {', '.join(told)} more than at its start: {_held(end)}" if told else None


def applies(history: History) -> bool:
    """Whether it was recorded what the nodes held at the end."""
    return bool((history.usage["moment"] == "end").any())
