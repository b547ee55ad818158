"""Several coordinators: a Raft group elects the one that decides, and keeps what it must not forget.

Every coordinator hears all ranks, so a new leader knows at once which of them live. It reads the ledger in its own term, then
decides; a leader that is deposed cannot write to the ledger any more, and stops at once.

**Why two groups never train at the same time.** A generation's number is on a majority before any rank is asked to leave for
it, so no two leaders use the same one; and ranks refuse an earlier one. The group, too, is on a majority before its members are
told. So whoever decides knows the last group that can possibly train. It forms the next one only when a member of that group
has left it for good: it has answered `PREPARE`, and joins no earlier generation any more. A group without one of its members
completes no step. In detail:

- Ranks and coordinators are divided. The leader without a majority writes nothing, hears no majority, and steps down within
  an election timeout. Its ranks go on if they are a complete group; otherwise they wait. On the other side a new leader is
  elected. It forms a group of the ranks there, if one of them was in the last group. If not, that group may well be training on
  the first side, and they wait until one of its members is heard.
- A leader is frozen and thaws. What it writes is refused, since it is of an earlier term. What it tells the ranks has a number
  that they refuse once they have heard from its successor. Until then they may obey, and leave a group, or join one that is in
  the ledger; the successor sees that in their beats.
- A leader is cut off from ranks, but not from the other coordinators, which keep it in office. While it lacks ranks, or gets no
  answer from some that it hears, it compares itself with the others, and hands over to one that hears more of them. The ledger
  is the same, so a group that the first leader gave up, but could not reach, is found to be well and is left alone.

If a whole group is lost for good, ranks outside it wait until one of its members is started again: it cannot be told from a
group that is cut off.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from typing import ClassVar, Final

from harness.http.client import HttpClient
from harness.http.message import BadAnswer, Request, Response, TransportError
from harness.node.context import NodeContext
from systems.parts.sealing import answered
from systems.raft.core.core import NotLeading
from systems.raft.core.state import Timing
from systems.raft.messages import LEADER_PATH, RAFT_PATH, HandOver
from systems.raft.outcomes import carried_out, received
from systems.raft.replica import Replica
from systems.raft.rules import CORRECT, Rules
from systems.raft.store import Answer, KeyValues
from systems.training.ledger import Ledger, RaftLedger
from systems.training.messages import HEARD, Reach

CLUSTER: Final = "coordinators"
ELECTION_MS: Final = 300
_PATIENCE_S: Final = 1.0
_LOOK_S: Final = 0.01
"""How often a coordinator checks whether it leads."""

_AGAIN_S: Final = 0.1
"""After this, a leader that could not write begins anew: its disk may be full for a while."""

_COMPARE_S: Final = 0.2
"""How often a leader that does not hear all ranks asks what the others hear."""

_ANSWER_S: Final = 0.15


class Council:
    """A coordinator's part in the group of coordinators."""

    rules: ClassVar[Rules] = CORRECT
    ledger: ClassVar[type[RaftLedger]] = RaftLedger

    def __init__(self, node: NodeContext, coordinators: Sequence[str], heard: Callable[[], Sequence[str]], ranks: int) -> None:
        """`heard` returns the ranks that this coordinator hears and reaches now; `ranks` is how many there are.

        Raises `OtherNode`.
        """
        others = {name: node.peers[name] for name in coordinators if name != node.name}
        self._values = KeyValues(self.rules)
        self._replica: Replica[Answer] = Replica(
            node,
            self._values,
            members=coordinators,
            cluster=CLUSTER,
            timing=Timing(election_ms=ELECTION_MS),
            rules=self.rules,
            peers=others,
        )
        self._others = {name: HttpClient(address) for name, address in others.items()}
        self._heard = heard
        self._ranks = ranks
        node.report_unsettled(self._replica.unsettled)

    async def handle(self, request: Request) -> Response:
        """Answer the other coordinators, and those who ask for the leader."""
        return await answered(request, lambda opened: carried_out(self._answer(opened), _PATIENCE_S))

    async def run(self, decide: Callable[[Ledger, int], Awaitable[None]]) -> None:
        """Call `decide` with a ledger whenever a term of this coordinator begins, and cancel it as soon as the term is over."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._replica.run())
            tasks.create_task(self._hand_over_to_better())
            while True:
                term = self._replica.term
                if self._replica.leads:
                    reign = asyncio.ensure_future(decide(self.ledger(self._replica, self._values, term), term))
                    try:
                        while self._may_decide(term) and not reign.done():
                            await asyncio.wait([reign], timeout=_LOOK_S)
                    finally:
                        reign.cancel()
                    await asyncio.wait([reign])
                    if not reign.cancelled():
                        reign.result()
                    await asyncio.sleep(_AGAIN_S)
                await asyncio.sleep(_LOOK_S)

    def _may_decide(self, term: int) -> bool:
        return self._replica.leads and self._replica.term == term

    async def _answer(self, request: Request) -> Response:
        match request.method, request.path:
            case "POST", path if path == RAFT_PATH:
                return await received(self._replica, request)
            case "GET", path if path == RAFT_PATH:
                return Response.json(self._replica.status())
            case "POST", path if path == LEADER_PATH:
                self._replica.hand_over(request.decode(HandOver).to)
                return Response(202)
        return Response(404, b"no such route")

    # --------------------------------------------------------------------------------------------------- who hears the most

    async def _hand_over_to_better(self) -> None:
        """While this coordinator leads and lacks ranks: hand over to one that has heard more of them twice in a row."""
        before: str | None = None
        while True:
            await asyncio.sleep(_COMPARE_S)
            lacks = self._replica.leads and len(self._heard()) < self._ranks
            better = await self._better() if lacks else None
            if better is not None and better == before:
                with contextlib.suppress(NotLeading, ValueError):
                    self._replica.hand_over(better)
            before = better

    async def _better(self) -> str | None:
        """The coordinator that hears the most ranks, if it hears more than this one."""
        counts = dict(zip(self._others, await asyncio.gather(*map(self._count, self._others)), strict=True))
        best = max(counts, key=lambda name: counts[name])
        return best if counts[best] > len(self._heard()) else None

    async def _count(self, name: str) -> int:
        try:
            response = await self._others[name].request("GET", HEARD, timeout_s=_ANSWER_S)
            return len(response.decode(Reach).others) if response.status == 200 else 0
        except (TransportError, BadAnswer):
            return 0
