"""All proxies of the server, by name."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from faults.plane import errors
from faults.plane.errors import ApiError
from faults.plane.metrics import exposition
from faults.plane.proxy import Proxy
from faults.plane.timers import Timers
from faults.plane.toxic import Toxic


@dataclass(frozen=True, kw_only=True)
class ProxySpec:
    """What a client asks for when it makes a proxy."""

    name: str
    listen: str
    upstream: str
    enabled: bool
    toxics: tuple[Toxic, ...] = ()
    """There before the first connection is."""


class Proxies:
    """Keeps names unique. Every method that changes something either does it all or raises `ApiError`."""

    def __init__(self, timers: Timers, seed: int) -> None:
        self._timers = timers
        self._seed = seed
        self._proxies: dict[str, Proxy] = {}

    def __iter__(self) -> Iterator[Proxy]:
        """In the order of their names."""
        return iter([self._proxies[name] for name in sorted(self._proxies)])

    def get(self, name: str) -> Proxy:
        if name not in self._proxies:
            raise errors.proxy_not_found()
        return self._proxies[name]

    async def create(self, spec: ProxySpec) -> Proxy:
        if spec.name in self._proxies:
            raise errors.proxy_exists()
        return await self._place(spec)

    async def create_or_replace(self, spec: ProxySpec) -> Proxy:
        """As `/populate` does: the one of that name is left alone if listen and upstream are the same, else replaced."""
        existing = self._proxies.get(spec.name)
        if existing is not None:
            if not await existing.differs(spec.listen, spec.upstream):
                return existing
            await existing.stop()
        return await self._place(spec)

    async def remove(self, name: str) -> None:
        await self.get(name).stop()
        del self._proxies[name]

    async def reset(self) -> None:
        """Enable every proxy and remove every toxic. One that cannot listen does not keep the others from it."""
        failure: ApiError | None = None
        for proxy in self:
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

    def metrics(self) -> bytes:
        return exposition(
            (pair for proxy in self for pair in proxy.bytes.items()),
            ((proxy.name, proxy.connections_total) for proxy in self),
            ((proxy.name, toxic.name, toxic.shared.hits) for proxy in self for toxic in proxy.toxics.all()),
        )

    async def _place(self, spec: ProxySpec) -> Proxy:
        proxy = Proxy(spec.name, spec.listen, spec.upstream, timers=self._timers, seed=str(self._seed))
        for toxic in spec.toxics:
            proxy.toxics.add(toxic)
        if spec.enabled:
            await proxy.start()
        self._proxies[spec.name] = proxy
        return proxy
