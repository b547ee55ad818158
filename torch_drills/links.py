"""The links of the fault plane, as a rank uses them: the harness makes them, a rank sets where each leads.

Gloo connects each pair of ranks once, and the one with the higher address dials. Listen addresses fall as ranks rise, so that
the lower rank always dials, and the link is called `rank0>rank1`.
"""

from __future__ import annotations

import http.client
import json
import socket
from typing import Any, Final, TypedDict, cast
from urllib.parse import quote

from torch_drills.addresses import Address, dials
from torch_drills.joining import MOST_RANKS, join
from torch_drills.journal import Journal

FILE: Final = "links.json"
"""Written by the harness once it knows how many ranks there are:
`{"world": 2, "plane": ["127.0.0.1", 8474], "links": {"rank0>rank1": ["127.0.0.1", 40001], …}}`."""

STORE: Final = "store"
_TOP: Final = 254
_TIMEOUT_S: Final = 10.0


def host_of(rank: int) -> str:
    """The host on which a rank listens for gloo."""
    return f"127.0.1.{_TOP - rank}"


def rank_at(host: str) -> int | None:
    """The rank that listens on `host`, None if none of ours does."""
    net, _, last = host.rpartition(".")
    return _TOP - int(last) if net == "127.0.1" and _TOP - MOST_RANKS < int(last) <= _TOP else None


class _File(TypedDict):
    world: int
    plane: list[Any]
    links: dict[str, list[Any]]


class Links:
    """The links from one rank."""

    def __init__(self, folder: str, journal: Journal, rank: int, world: int) -> None:
        """Wait until the harness has made the links. Raises `TimeoutError` if it does not, `ValueError` for too many ranks."""
        self.rank = rank
        self._led: dict[str, Address] = {}
        found = cast(_File, join(folder, FILE, journal, rank, world))
        self._plane = _address(found["plane"])
        self._listens = {name: _address(at) for name, at in found["links"].items()}

    def to_rank(self, at: Address) -> Address | None:
        """The address to dial instead of another rank's; None if that rank dials us, or is not one of ours."""
        peer, own = rank_at(at[0]), host_of(self.rank)
        if peer is None or not dials(own, at[0]):
            return None
        return self._lead(f"rank{self.rank}>rank{peer}", at)

    def to_store(self, at: Address) -> Address | None:
        """The address to dial instead of the rendezvous store's."""
        return self._lead(f"rank{self.rank}>{STORE}", at)

    def _lead(self, link: str, to: Address) -> Address | None:
        """Point a link at an address, and return where the link itself listens."""
        if link not in self._listens:
            return None
        if self._led.get(link) != to:
            connection = http.client.HTTPConnection(*self._plane, timeout=_TIMEOUT_S)
            try:
                body = json.dumps({"upstream": f"{socket.gethostbyname(to[0])}:{to[1]}"})
                connection.request("POST", f"/proxies/{quote(link, safe='')}", body, {"Content-Type": "application/json"})
                answer = connection.getresponse()
                if answer.status != http.client.OK:
                    raise OSError(f"the fault plane refused to lead {link} to {to}: {answer.read().decode(errors='replace')}")
            finally:
                connection.close()
            self._led[link] = to
        return self._listens[link]


def _address(pair: list[Any]) -> Address:
    host, port = pair
    return str(host), int(port)
