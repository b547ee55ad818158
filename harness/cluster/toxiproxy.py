"""The harness's client of the fault plane: any server of Toxiproxy's HTTP API, driven by toxiproxy-python."""

from __future__ import annotations

import asyncio
import contextlib
import re
import threading
from collections.abc import Callable, Mapping
from typing import Final, TypeVar

import requests
from toxiproxy import Toxiproxy
from toxiproxy.exceptions import InvalidToxic, NotFound, ProxyExists
from toxiproxy.proxy import Proxy

from harness.cluster.ports import HOST
from harness.model.environment import LinkCounters
from harness.model.errors import FaultError
from harness.model.system import Address

T = TypeVar("T")

REPLY_TIMEOUT_S: Final = 5.0
"""A fault plane that has not answered an API call after this long counts as dead."""

_WATCH_EVERY_S: Final = 1.0
_NO_SUCH_KIND: Final = "invalid toxic type"
_ANSWER_SHOWN: Final = 100


class FaultPlane:
    """The proxies of one run. A process can use one at a time: toxiproxy-python keeps the server's address in a global."""

    def __init__(self, address: Address, on_create: Callable[[str], None] = lambda name: None) -> None:
        self.address = address
        self._on_create = on_create
        self._api = Toxiproxy()
        self._proxies: dict[str, Proxy] = {}

    async def create(self, name: str, upstream: Address, listen: Address = (HOST, 0)) -> Address:
        """Make a proxy to `upstream`, on a free loopback port if none is given, and return its address."""

        def create() -> Proxy:
            target, own = (f"{host}:{port}" for host, port in (upstream, listen))
            return self._api.create(name=name, upstream=target, listen=own, enabled=True)

        creating = asyncio.ensure_future(self._call(f"create proxy {name!r}", create))
        try:
            await asyncio.wait([creating])
        finally:
            # If the run is cancelled meanwhile, the server may still create the proxy, which must then be deleted.
            while not creating.done():
                with contextlib.suppress(asyncio.CancelledError):
                    await asyncio.wait([creating])
            if creating.exception() is None:
                self._on_create(name)
        proxy = self._proxies[name] = creating.result()
        host, port = proxy.listen.rsplit(":", 1)
        return host, int(port)

    async def add_toxic(
        self, link: str, name: str, *, kind: str, stream: str, attributes: Mapping[str, float | str], toxicity: float = 1.0
    ) -> None:
        """Add a toxic to a link's "upstream" (to its target) or "downstream" (from it) half, on a share `toxicity` of it.

        Raises `FaultError` if the server does not know the kind: the real Toxiproxy does not have this project's own toxics.
        """

        def add() -> None:
            proxy = self._proxies[link]
            try:
                proxy.add_toxic(name=name, type=kind, stream=stream, toxicity=toxicity, attributes=dict(attributes))
            except InvalidToxic as error:
                if _NO_SUCH_KIND in str(error):
                    raise FaultError(f"the real Toxiproxy has no toxic {kind!r}. Use --fault-plane embedded") from error
                raise

        await self._call(f"add toxic {name!r} to {link!r}", add)

    async def remove_toxic(self, link: str, name: str) -> None:
        """Remove a toxic. Does nothing if there is none."""

        def remove() -> None:
            try:
                self._proxies[link].destroy_toxic(name)
            except NotFound:
                return

        await self._call(f"remove toxic {name!r} from {link!r}", remove)

    async def check(self) -> None:
        """Return when the server answers. Raises `FaultError` if it does not."""
        url = f"http://{self.address[0]}:{self.address[1]}/version"
        await self._call("say its version", lambda: requests.get(url, timeout=REPLY_TIMEOUT_S))

    async def watch(self) -> None:
        """Check the server again and again. Raises `FaultError` when it does not answer."""
        while True:
            await self.check()
            await asyncio.sleep(_WATCH_EVERY_S)

    async def counters(self) -> dict[str, LinkCounters]:
        """The traffic of each link so far. Toxiproxy itself counts a connection only when it ends."""
        return _parse_counters(await self._metrics(), self._proxies)

    async def toxic_hits(self) -> dict[tuple[str, str], int]:
        """How often each current toxic acted, by link and name. Only this project's own toxics and its latency count that."""
        samples = ((dict(_LABEL.findall(text)), number) for text, number in _HITS.findall(await self._metrics()))
        return {(labels["proxy"], labels["toxic"]): int(number) for labels, number in samples}

    async def _metrics(self) -> str:
        def read() -> str:
            reply = requests.get(f"http://{self.address[0]}:{self.address[1]}/metrics", timeout=REPLY_TIMEOUT_S)
            return reply.text if reply.status_code == requests.codes.ok else ""

        return await self._call("read /metrics", read)

    async def _call(self, what: str, call: Callable[[], T]) -> T:
        """Run a blocking API call in a thread that cannot keep the harness from ending."""
        self._api.update_api_consumer(*self.address)
        at = f"The fault plane at {self.address[0]}:{self.address[1]}"
        try:
            async with asyncio.timeout(REPLY_TIMEOUT_S):  # wait_for can lose a cancellation that comes with the reply
                return await _in_daemon_thread(call)
        except TimeoutError as error:
            raise FaultError(f"{at} did not answer within {REPLY_TIMEOUT_S:g} s when asked to {what}.") from error
        except requests.RequestException as error:
            raise FaultError(
                f"{at} does not answer (asked to {what}). Is it running? Or use --fault-plane embedded."
            ) from error
        except ProxyExists as error:
            raise FaultError(f"{at} refused to {what}: it already exists. Is another run using this server?") from error
        except (InvalidToxic, NotFound) as error:
            raise FaultError(f"{at} refused to {what}: {_said(error)}") from error
        except (KeyError, ValueError) as error:  # toxiproxy-python treats a reply with status 500 as success
            raise FaultError(f"{at} failed to {what}.") from error


def _said(error: Exception) -> str:
    """The beginning of the answer that toxiproxy-python raises an error with, in one line."""
    body = error.args[0] if error.args else b""
    text = " ".join((body.decode(errors="replace") if isinstance(body, bytes) else str(body)).split())
    return text if len(text) <= _ANSWER_SHOWN else f"{text[:_ANSWER_SHOWN]}…"


def _in_daemon_thread(call: Callable[[], T]) -> asyncio.Future[T]:
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def settle(result: T | None, error: Exception | None) -> None:
        if not future.done():
            if error is None:
                future.set_result(result)  # type: ignore[arg-type]
            else:
                future.set_exception(error)

    def work() -> None:
        result, error = None, None
        try:
            result = call()
        except Exception as caught:  # raised again where it is awaited
            error = caught
        if not loop.is_closed():
            loop.call_soon_threadsafe(settle, result, error)

    threading.Thread(target=work, daemon=True, name="fault plane call").start()
    return future


_SAMPLE: Final = re.compile(r"^toxiproxy_proxy_(received_bytes|sent_bytes|connections)_total\{(.*)\} (\S+)$", re.MULTILINE)
_HITS: Final = re.compile(r"^toxiproxy_proxy_toxic_hits_total\{(.*)\} (\d+)$", re.MULTILINE)
_LABEL: Final = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


def _parse_counters(text: str, names: Mapping[str, Proxy]) -> dict[str, LinkCounters]:
    received: dict[str, dict[str, int]] = {name: {} for name in names}
    sent: dict[str, dict[str, int]] = {name: {} for name in names}
    connections = dict.fromkeys(names, 0)
    for kind, labels_text, number in _SAMPLE.findall(text):
        labels = dict(_LABEL.findall(labels_text))
        name, count = labels.get("proxy", ""), int(float(number))
        if name not in names:
            continue
        if kind == "connections":
            connections[name] += count
        else:  # a proxy whose upstream was changed has one count for each upstream
            counted, direction = (received if kind == "received_bytes" else sent)[name], labels.get("direction", "")
            counted[direction] = counted.get(direction, 0) + count
    return {
        name: LinkCounters(received_bytes=received[name], sent_bytes=sent[name], connections=connections[name])
        for name in names
    }
