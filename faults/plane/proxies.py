"""All proxies of the server by name."""

from __future__ import annotations

import asyncio
import select
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from weakref import WeakValueDictionary

from faults.plane import errors
from faults.plane.connection import Connection
from faults.plane.errors import ApiError
from faults.plane.proxy import Means, Proxy
from faults.plane.toxic import Toxic

_DROPPED_AT_ONCE: Final = 64
_PAUSE_TO_SEARCH: Final = 4
"""After a fruitless search for abandoned connections, the next one waits this many times as long as the search took."""


@dataclass(frozen=True, kw_only=True)
class ProxySpec:
    """The proxy that a client asks for."""

    name: str
    listen: str
    upstream: str
    enabled: bool
    toxics: tuple[Toxic, ...] = ()
    """In place before the first connection."""


class Proxies:
    """Keeps names unique. A method that changes something either succeeds completely or raises `ApiError`."""

    def __init__(self, means: Means) -> None:
        self._means = means
        self._proxies: dict[str, Proxy] = {}
        self._changing: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._search_again_s = 0.0

    def __iter__(self) -> Iterator[Proxy]:
        """In the order of names."""
        return iter([self._proxies[name] for name in sorted(self._proxies)])

    def get(self, name: str) -> Proxy:
        if name not in self._proxies:
            raise errors.proxy_not_found()
        return self._proxies[name]

    def changing(self, name: str) -> asyncio.Lock:
        """The lock held while the proxy of that name is created, changed or removed, so that no change is seen half done.

        Each name has its own lock, because a change may have to wait for a DNS lookup.
        """
        return self._changing.setdefault(name, asyncio.Lock())

    async def create(self, spec: ProxySpec) -> Proxy:
        async with self.changing(spec.name):
            if spec.name in self._proxies:
                raise errors.proxy_exists()
            return await self._place(spec)

    async def create_or_replace(self, spec: ProxySpec) -> Proxy:
        """As in `/populate`: an existing proxy with the same `listen` and `upstream` is left alone; any other is replaced."""
        async with self.changing(spec.name):
            existing = self._proxies.get(spec.name)
            if existing is not None:
                if not await existing.differs(spec.listen, spec.upstream):
                    return existing
                await existing.stop()
            return await self._place(spec)

    async def remove(self, name: str) -> None:
        async with self.changing(name):
            await self.get(name).stop()
            del self._proxies[name]

    async def reset(self) -> None:
        """Enable every proxy and remove every toxic. If a proxy cannot listen, the others are still reset."""
        failure: ApiError | None = None
        for proxy in self:
            async with self.changing(proxy.name):
                if self._proxies.get(proxy.name) is not proxy:
                    continue  # removed or replaced while another one was reset
                try:
                    await proxy.start()
                except ApiError as error:
                    failure = failure or error
                proxy.toxics.clear()
        if failure is not None:
            raise failure

    async def close(self) -> None:
        for proxy in self:
            await proxy.stop()

    def make_room(self) -> bool:
        """Drop some connections whose client has left and that only a toxic keeps open, the oldest of a proxy first.

        Called when no descriptors are left. Returns whether any were found.
        """
        begun_s = time.monotonic()
        if begun_s < self._search_again_s:
            return False
        abandoned = self._abandoned()
        for proxy, connection in abandoned[:_DROPPED_AT_ONCE]:
            proxy.failed("abandoned", "its client has left, and its file descriptors are needed")
            connection.abort()
        if not abandoned:
            now_s = time.monotonic()
            self._search_again_s = now_s + _PAUSE_TO_SEARCH * (now_s - begun_s)
        return bool(abandoned)

    def _abandoned(self) -> list[tuple[Proxy, Connection]]:
        clients = {}
        poll = select.poll()
        for proxy in self:
            for connection in proxy.connections:
                if connection.descriptor is not None:
                    clients[connection.descriptor] = proxy, connection
                    poll.register(connection.descriptor, select.POLLRDHUP)
        return [clients[descriptor] for descriptor, _ in poll.poll(0)]

    async def _place(self, spec: ProxySpec) -> Proxy:
        proxy = Proxy(spec.name, spec.listen, spec.upstream, self._means, self.make_room)
        for toxic in spec.toxics:
            proxy.toxics.add(toxic)
        if spec.enabled:
            await proxy.start()
        self._proxies[spec.name] = proxy
        return proxy
