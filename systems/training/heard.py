"""What a coordinator hears from ranks, whether or not it decides: who is alive, and where gloo processes find each other."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from harness.http.message import Request, Response
from systems.training.membership import Membership
from systems.training.messages import BEAT, HEARD, STORE, WATCH, WATCH_S, Beat, Got, Put, Reach


class Heard:
    """Takes the ranks' beats, and keeps the store's entries."""

    def __init__(self, membership: Membership, now_s: Callable[[], float]) -> None:
        self.membership = membership
        self.now_s = now_s
        self.woken = asyncio.Event()
        """Set whenever there may be something to decide."""
        self.unreached: frozenset[str] = frozenset()
        """The ranks that are heard but did not answer this coordinator when it last formed a group."""
        self._store: dict[str, asyncio.Future[bytes]] = {}
        self._watches: dict[str, asyncio.Future[None]] = {}
        """The last watch of each rank."""

    def ranks(self) -> list[str]:
        """The ranks that are heard now."""
        now_s = self.now_s()
        return [name for name in self.membership.ranks if not self.membership.silent(name, now_s)]

    def reached(self) -> list[str]:
        """The ranks that are heard now, and hear this coordinator as far as it knows."""
        return [name for name in self.ranks() if name not in self.unreached]

    def forget_store(self) -> None:
        """Another group is about to be formed."""
        self._store.clear()

    async def handle(self, request: Request) -> Response | None:
        """The response; None if the request is for something else."""
        match request.method, request.path:
            case "POST", path if path == BEAT:
                self.membership.beat(request.decode(Beat), self.now_s())
                self.woken.set()
                return Response()
            case "POST", path if path == WATCH:
                return await self._watch(request.decode(Beat))
            case "POST", path if path == STORE:
                put = request.decode(Put)
                entry = self._entry(put.key)
                if not entry.done():
                    entry.set_result(put.value)
                return Response()
            case "GET", path if path == STORE:
                return Response.json(Got(value=await asyncio.shield(self._entry(request.query["key"]))))
            case "GET", path if path == HEARD:
                return Response.json(Reach(others=tuple(self.reached())))
        return None

    async def _watch(self, beat: Beat) -> Response:
        """Wait for the end of the connection, which cancels this, or for the rank's next watch, but not as long as a rank does.

        The end of a connection whose machine lost power may never be seen. An answer ends it: nobody is there to take it.
        """
        loop = asyncio.get_running_loop()
        watch: asyncio.Future[None] = loop.create_future()
        before, self._watches[beat.name] = self._watches.get(beat.name), watch
        if before is not None:
            _answer(before)
        timer = loop.call_later(WATCH_S / 2, _answer, watch)
        try:
            await watch
        finally:
            timer.cancel()
            if self._watches[beat.name] is watch:
                del self._watches[beat.name]
                if watch.cancelled():
                    self.membership.gone(beat.name, beat.incarnation)
                    self.woken.set()
        return Response()

    def _entry(self, key: str) -> asyncio.Future[bytes]:
        if key not in self._store:
            self._store[key] = asyncio.get_running_loop().create_future()
        return self._store[key]


def _answer(watch: asyncio.Future[None]) -> None:
    if not watch.done():
        watch.set_result(None)
