"""How a replica becomes the primary and remains it: it claims the next epoch when a lease is over, and renews its own lease.

It claims an epoch only if a majority of the replicas could follow it, and it gives way when no majority has answered for a
while. Otherwise a minority that reaches the keepers could keep the majority from having a primary.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from typing import Final

from harness.node.context import NodeContext
from systems.strong.bugs import Rules
from systems.strong.keeper import EpochKeeper, KeeperUnreachable
from systems.strong.lease import LEASE_S, RENEW_S, Lease, Watch
from systems.strong.messages import Canvass, Configuration, Fence, Fetched, Refused
from systems.strong.peer import Peer
from systems.strong.protocol import Canvassing, Primary, claimed, first, may_claim
from systems.strong.reign import Reign
from systems.strong.replica import Restore, Take
from systems.strong.storage import Storage
from systems.strong.takeover import Takeover
from systems.strong.telling import Teller

TICK_S: Final = 0.03
PATIENCE_S: Final = 0.15
"""After a lease is over, a replica waits for a random part of this before it takes over, so that two rarely try at once."""

FIRST_AFTER_S: Final = 1.0
"""In a new cluster, the first replica becomes the first primary if it starts within this time."""

GIVES_WAY_S: Final = 1.0
"""A replica that could not do what a primary must do leaves it to the others for a lease and this long.

A replica that hears only from the keepers may hear of the last lease when its own attempt to take over fails, and then waits
once more. So this is more than `LEASE_S` and twice `PATIENCE_S`: else the one that gave way might always be the first again."""

ANSWERED_WITHIN_S: Final = 1.0
"""How long a candidate, or the next primary, waits for a majority to answer."""

PIECE_TIMEOUT_S: Final = 0.5
"""How long the next primary waits for one piece of the log that it takes over before it asks again, for a shorter one."""

PIECES_WITHIN_S: Final = 4 * PIECE_TIMEOUT_S
"""How long it goes on without getting any piece."""

SILENT_AFTER_S: Final = 0.25
"""For a known bug: a primary that was silent for this long is considered dead."""


class Election:
    """One replica's part in elections: whether it is the primary, and which replica is if it is not."""

    def __init__(
        self,
        node: NodeContext,
        keeper: EpochKeeper,
        storage: Storage,
        teller: Teller,
        peers: Mapping[str, Peer],
        *,
        replicas: Sequence[str],
        all_in_sync: bool,
        rules: Rules,
    ) -> None:
        """`peers` are the other replicas; `replicas` are all of them, in an order that is the same for each."""
        self.reign: Reign | None = None
        """Its epoch as the primary; None while it is not the primary."""
        self.informed = storage.replica.ready
        """Whether it knows an epoch that is at least as late as every epoch that it has ever promised to obey."""
        self._node = node
        self._name = node.name
        self._keeper = keeper
        self._storage = storage
        self._replica = storage.replica
        self._teller = teller
        self._peers = peers
        self._replicas = replicas
        self._all_in_sync = all_in_sync
        self._rules = rules
        self.watch: Final = Watch()
        """What it knows of the leases of others."""
        self.lease = Lease()
        """Its own, if it is the primary."""
        self._renew_at_s = self._heard_s = 0.0
        self._patience_s = self._drawn_patience_s()
        self._not_before_s = 0.0
        """It does not try to take over before."""
        self._first_at_s = self.now_s() + (0 if node.name == replicas[0] else FIRST_AFTER_S)

    @property
    def known(self) -> Configuration | None:
        """The latest configuration that this replica has heard of."""
        return self.watch.configuration

    def claims(self, now_s: float) -> bool:
        """Whether it would claim the next epoch at this time."""
        known = self.known
        return self.reign is None and known is not None and self.informed and self._is_over(now_s) and self._may_claim(known)

    def now_s(self) -> float:
        """The time by which it measures leases."""
        return self._node.clock() if self._rules.leases_ignore_wall_clock else self._node.time()

    def heard(self, configuration: Configuration) -> None:
        """Take note that this version is, or was, in force."""
        self.watch.heard(configuration, self.now_s())

    def heard_from_primary(self) -> None:
        """Take note that a primary that this replica obeys has sent something for the log."""
        self._heard_s = self.now_s()

    def step_down(self, why: str) -> None:
        """End the reign, if there is one."""
        reign, self.reign = self.reign, None
        if reign is None:
            return
        self._node.log(f"is not the primary of epoch {reign.primary.configuration.epoch} any more: {why}")
        reign.end(f"{self._name} is not the primary any more: {why}")
        self.heard(reign.primary.configuration)
        self._patience_s = self._drawn_patience_s()

    async def keep(self) -> None:
        """Renew the lease, or take over from a primary whose lease is over, until the node ends."""
        while True:
            try:
                await self._keep()
            except KeeperUnreachable as silence:
                if self.reign is None:
                    self._node.log(f"{silence}: who is the primary is not known")
            except OSError as error:  # nothing was promised, so it can be tried again
                self._node.log(f"the disk did not take which epoch to obey: {error}")
                await asyncio.sleep(GIVES_WAY_S)
            await asyncio.sleep(TICK_S)

    async def _keep(self) -> None:
        reign, now_s = self.reign, self.now_s()
        if reign is None:
            await self._stand_by(now_s)
        elif reign.primary.is_alone(now_s):
            self._unable("no majority of the replicas answers")
        elif now_s >= self._renew_at_s or reign.primary.wants_change(now_s):
            await self._renew(reign, now_s)

    async def _renew(self, reign: Reign, now_s: float) -> None:
        primary, sent_s = reign.primary, self.now_s()
        asked = primary.next_configuration(now_s)
        accepted = await self._keeper.replace(primary.configuration, asked)
        kept = asked if accepted else await self._keeper.read()
        if kept is None:
            raise KeeperUnreachable("the keepers have lost the configuration")
        self.heard(kept)
        if self.reign is not reign:
            return
        if not primary.kept(kept):
            self.step_down(f"{kept.primary} is the primary of epoch {kept.epoch}, say the keepers")
            return
        if accepted:  # else an earlier attempt may have been, and others have known this version since then
            self.lease.renewed(sent_s)
            self._renew_at_s = now_s + RENEW_S
        reign.advance()

    async def _stand_by(self, now_s: float) -> None:
        known = self.known
        if known is None:
            await self._look(now_s)
        elif not self.informed:
            self._storage.promise(known.epoch, ready=not known.used)
            self._replica.promise(known.epoch)
            self._replica.informed_by = known.version
            self._replica.ready, self.informed = not known.used, True
        elif self._is_over(now_s):
            if self._may_claim(known):
                await self._claim(known, claimed(self._name, known))
            else:  # it may have been added to those in sync, and the primary have died before it could say so
                self._not_before_s = now_s + RENEW_S
                await self._hear_from_keepers()

    def _is_over(self, now_s: float) -> bool:
        if not self._rules.leases_waited_out and now_s - self._heard_s > SILENT_AFTER_S:
            return True
        return now_s >= self._not_before_s and self.watch.over(now_s, self._patience_s)

    def _may_claim(self, known: Configuration) -> bool:
        return may_claim(self._name, known, ready=self._replica.ready, all_in_sync=self._all_in_sync, rules=self._rules)

    async def _look(self, now_s: float) -> None:
        """Ask the keepers which replica is the primary; become the first one if there was none."""
        found = await self._keeper.read()
        if found is not None:
            self.heard(found)
            return
        # Nothing was ever acknowledged, so nothing is missing from an empty log.
        self._storage.promise(0, ready=True)
        self._replica.ready = self.informed = True
        if now_s >= self._first_at_s:
            await self._claim(None, first(self._name, self._replicas))

    async def _claim(self, known: Configuration | None, asked: Configuration) -> None:
        try:
            self._storage.check()
        except OSError:
            self._give_way()
            return
        # The first claim can succeed only once, so no replica can make it again and again.
        if known is None or await self._canvass(asked):
            sent_s = self.now_s()
            if await self._keeper.replace(known, asked):
                self.heard(asked)
                await self._take_over(asked, sent_s)
                return
        await self._hear_from_keepers()

    async def _hear_from_keepers(self) -> None:
        if (found := await self._keeper.read()) is not None:
            self.heard(found)

    async def _canvass(self, asked: Configuration) -> bool:
        """Whether a majority could follow this replica as the primary."""
        canvassing = Canvassing(self._name, self._replicas, rules=self._rules)
        await self._ask_others(Canvass(configuration=asked), canvassing)
        return canvassing.succeeded

    async def _take_over(self, configuration: Configuration, sent_s: float) -> None:
        """Begin an epoch that the keepers have given to this replica."""
        replica, epoch = self._replica, configuration.epoch
        if epoch <= replica.epoch:
            return
        try:
            self._storage.promise(epoch, ready=True)
            replica.promise(epoch)
            if epoch > 1 and not self._all_in_sync and not await self._adopt(configuration):
                self._give_way()
                return
        except OSError as error:
            self._node.log(f"the disk did not take epoch {epoch}: {error}")
            self._give_way()
            return
        self.lease = Lease()
        self.lease.renewed(sent_s)
        self._renew_at_s = self.now_s()
        primary = Primary(
            self._name,
            replica,
            configuration,
            self._replicas,
            all_in_sync=self._all_in_sync,
            now_s=self.now_s(),
            rules=self._rules,
        )
        self.reign = Reign(
            primary,
            self._peers,
            self._teller,
            clock=self.now_s,
            deposed=self.step_down,
            unable=self._unable,
            rules=self._rules,
        )
        self._node.log(f"is the primary of epoch {epoch}")
        self._teller.leads(epoch)
        self.reign.begin()

    async def _adopt(self, configuration: Configuration) -> bool:
        """Have a majority obey no earlier epoch, and take over the most complete log; returns whether that was done in time."""
        replica = self._replica
        takeover = Takeover(self._name, replica, self._replicas, rules=self._rules)
        await self._ask_others(Fence(configuration=configuration), takeover)
        if not takeover.is_over():
            return False
        source = takeover.source
        adopted = None if source is None else await self._fetch(takeover, source, configuration)
        if replica.epoch != configuration.epoch or (source is not None and adopted is None):
            return False
        if isinstance(adopted, Take):
            self._teller.take(replica, adopted)
        elif adopted is not None:
            self._teller.restore(replica, adopted)
        return True

    async def _fetch(self, takeover: Takeover, source: str, configuration: Configuration) -> Take | Restore | None:
        """Fetch the most complete log for as long as its pieces come; None if they do not, or a later epoch is known.

        The lease is not renewed meanwhile: another replica that may claim the next epoch does so, and may have that log itself.
        What was fetched so far is not lost if this replica tries again.
        """
        peer, heard_s = self._peers[source], self.now_s()
        while self._replica.epoch == configuration.epoch and self.now_s() < heard_s + PIECES_WITHIN_S:
            match await peer.ask(takeover.fetch(configuration, peer.most_fetched), PIECE_TIMEOUT_S):
                case Fetched() as answer:
                    heard_s = self.now_s()
                    if (adopted := takeover.fetched(answer)) is not None:
                        return adopted
                case Refused():
                    return None
                case _:
                    await asyncio.sleep(TICK_S)
        return None

    async def _ask_others(self, request: Canvass | Fence, collected: Canvassing | Takeover) -> None:
        """Ask each other replica until it gives an answer that says all, or the answers are enough, or it takes too long."""
        over = asyncio.Event()

        async def ask(name: str) -> None:
            while not over.is_set():
                answer = await self._peers[name].ask(request, ANSWERED_WITHIN_S)
                if answer is not None and collected.answered(name, answer):
                    if collected.is_over():
                        over.set()
                    return
                await asyncio.sleep(TICK_S)

        if collected.is_over():
            return
        asking = [asyncio.create_task(ask(name)) for name in self._peers]
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(ANSWERED_WITHIN_S):
                    await over.wait()
        finally:
            for task in asking:
                task.cancel()

    def _unable(self, why: str) -> None:
        """End the reign: this replica cannot be the primary now."""
        self.step_down(why)
        self._give_way()

    def _give_way(self) -> None:
        self._patience_s = self._drawn_patience_s()
        self._not_before_s = self.now_s() + LEASE_S + GIVES_WAY_S

    def _drawn_patience_s(self) -> float:
        return self._node.random.uniform(0, PATIENCE_S)
