"""Check that every node becomes idle once it gets no more requests."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from harness.checkers._looks import Look, looks_of
from harness.checkers._wording import count, listed
from harness.model.history import History
from harness.model.verdict import Verdict


def all_settled(history: History) -> Verdict:
    """When everything is over and healed, no node has pending work or keeps a healthy peer out of service.

    Each node reports this itself, through `NodeContext.report_unsettled`, as counts that must return to 0. The last look at
    each node is judged: if something is left after the last call, that is when nothing has become less for five seconds, or
    after half a minute. A count that has gone down since the load ended does not matter: the node is still working it off. Such
    bugs are easy to miss otherwise: for example, an in-flight counter that misses a cancelled request makes a node reject
    requests some hours later. Unknown if no node reported anything at the end.
    """
    return unsettled(looks_of(history.usage))


def unsettled(looks: Sequence[Look]) -> Verdict:
    """The same, judged from the looks themselves."""
    told = [(look, pending(look)) for look in looks if look.unsettled is not None]
    ends = [(look, left) for look, left in told if look.moment == "end"]
    before = {look.process: left for look, left in told if look.moment == "over"}
    if not ends:
        return Verdict(valid=None, why="no node reported its pending work at the end")
    stuck, working = [], []
    for look, left in ends:
        first = before.get(look.process, {})
        # Below 0, it has counted something twice, which does not wear off.
        stays = {what: n for what, n in left.items() if n < 0 or n >= first.get(what, 0)}
        if stays:
            stuck.append(f"{look.node} ended with {_told(stays)}")
        elif left:
            working.append(f"{look.node} with {_told(left)}")
    if stuck:
        return Verdict(valid=False, why="; ".join(stuck))
    if working:
        return Verdict(valid=True, why=f"nothing is stuck, and some work is not done yet: {'; '.join(working)}")
    return Verdict(valid=True, why=f"{count(len(ends), 'node')} had nothing pending and nothing out of service at the end")


def _told(left: dict[str, int]) -> str:
    return listed([f"{n:,} {what}" for what, n in left.items()])


def pending(look: Look) -> dict[str, int]:
    """What a node reports as pending; nothing if it reports nothing."""
    return {} if look.unsettled is None else msgspec.json.decode(look.unsettled, type=dict[str, int])


def applies(history: History) -> bool:
    """Whether a node reported its pending work at the end."""
    usage = history.usage
    return bool(((usage["moment"] == "end") & usage["unsettled"].notna()).any())
