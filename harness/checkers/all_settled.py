"""Whether every node came to rest when nothing was asked of it any more."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from harness.checkers._looks import Look, looks_of
from harness.checkers._wording import count, listed
from harness.model.history import History
from harness.model.verdict import Verdict


def all_settled(history: History) -> Verdict:
    """When all is over and healed, no node has work under way, or leaves out of service what is well again.

    A node says itself what that is, by `NodeContext.report_unsettled`, as counts that come to nothing. Judged is the last
    look at each node, which is some seconds after the last call if something is left until then; what is left and has
    become less since the load was over is being worked off, and does not count. Faults of this kind stay unseen otherwise:
    a counter of requests under way that misses a cancelled one, say, makes a node turn requests away some hours later.
    Unknown if no node said anything in the end.
    """
    return unsettled(looks_of(history.usage))


def unsettled(looks: Sequence[Look]) -> Verdict:
    """The same, of the looks themselves."""
    told = [(look, _counts(look.unsettled)) for look in looks if look.unsettled is not None]
    ends = [(look, left) for look, left in told if look.moment == "end"]
    before = {look.pid: left for look, left in told if look.moment == "over"}
    if not ends:
        return Verdict(valid=None, why="no node said in the end what it still had under way")
    stuck, working = [], []
    for look, left in ends:
        first = before.get(look.pid, {})
        stays = {what: n for what, n in left.items() if n >= first.get(what, 0)}
        if stays:
            stuck.append(f"{look.node} ended with {_told(stays)}")
        elif left:
            working.append(f"{look.node} with {_told(left)}")
    if stuck:
        return Verdict(valid=False, why="; ".join(stuck))
    if working:
        return Verdict(valid=True, why=f"nothing is stuck, and some work is not done yet: {'; '.join(working)}")
    return Verdict(valid=True, why=f"{count(len(ends), 'node')} had nothing under way and nothing out of service in the end")


def _told(left: dict[str, int]) -> str:
    return listed([f"{n:,} {what}" for what, n in left.items()])


def _counts(text: str) -> dict[str, int]:
    return msgspec.json.decode(text, type=dict[str, int])


def applies(history: History) -> bool:
    """Whether a node said what it had under way in the end."""
    usage = history.usage
    return bool(((usage["moment"] == "end") & usage["unsettled"].notna()).any())
