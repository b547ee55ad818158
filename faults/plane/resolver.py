"""Look up host names, each in its own thread, so that a name that no DNS server answers for delays no other name."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import ipaddress
import socket
import threading
from typing import Final

from faults.plane.address import AddressError

MAX_LOOKUPS: Final = 128
"""How many names may be looked up at once. Lookups of the same name share one thread."""
TIMEOUT_S: Final = 5.0
"""How long callers wait. The thread goes on until the system gives up, and later lookups of the name join it."""


class Resolver:
    """Resolves host names by the system's rules."""

    def __init__(self) -> None:
        self._running: dict[str, asyncio.Future[list[str]]] = {}

    async def hosts(self, name: str) -> list[str]:
        """The numeric addresses of a host, in order of preference.

        Raises `AddressError` if there are none, if the lookup takes longer than `TIMEOUT_S`, or if too many are running.
        """
        numeric = _numeric(name)
        if numeric is not None:
            return [numeric]
        if _is_short_form(name):
            raise AddressError(f"lookup {name}: no such host")
        lookup = self._running.get(name)
        if lookup is None:
            if len(self._running) >= MAX_LOOKUPS:
                raise AddressError(f"lookup {name}: {MAX_LOOKUPS} other names are being looked up")
            lookup = self._start(name)
        try:
            async with asyncio.timeout(TIMEOUT_S):
                return await asyncio.shield(lookup)
        except TimeoutError as error:
            raise AddressError(f"lookup {name}: i/o timeout") from error
        except (OSError, UnicodeError) as error:
            raise AddressError(f"lookup {name}: {_reason(error)}") from error

    def _start(self, name: str) -> asyncio.Future[list[str]]:
        loop = asyncio.get_running_loop()
        lookup: asyncio.Future[list[str]] = loop.create_future()
        self._running[name] = lookup

        def settle(hosts: list[str], error: Exception | None) -> None:
            del self._running[name]
            if error is None:
                lookup.set_result(hosts)
            else:
                lookup.set_exception(error)
                lookup.exception()  # marks it as retrieved, because all callers may have given up

        def work() -> None:
            hosts: list[str] = []
            failure: Exception | None = None
            try:
                found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
                hosts = list(dict.fromkeys(str(entry[4][0]) for entry in found))
            except (OSError, UnicodeError) as error:
                failure = error
            with contextlib.suppress(RuntimeError):  # the loop is closed: the server has stopped
                loop.call_soon_threadsafe(settle, hosts, failure)

        threading.Thread(target=work, daemon=True, name=f"lookup of {name}").start()
        return lookup


@functools.lru_cache(maxsize=1024)
def _numeric(host: str) -> str | None:
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        return None


def _is_short_form(name: str) -> bool:
    """Whether only the C library would read it as an address: `127.1`, `0x7f.0.0.1`, `2130706433`. To Go these are names."""
    try:
        socket.inet_aton(name)
    except (OSError, ValueError):
        return False
    return True


def _reason(error: OSError | UnicodeError) -> str:
    if isinstance(error, socket.gaierror) and error.errno == socket.EAI_AGAIN:
        return "temporary failure in name resolution"
    return "no such host"
