"""Where the configuration is kept: one small value that is replaced atomically."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final, Protocol

import msgspec

from harness.http.message import BadAnswer, Response, TransportError, Unreachable
from harness.model.system import Address
from systems.parts.owner import MISDIRECTED, Owner
from systems.parts.sealing import SealedClient
from systems.raft.messages import KEY_PATH, Got, NotDone, Post, Swapped
from systems.strong.messages import Configuration

KEY: Final = "configuration"
"""Of the keepers' store."""

_PATIENCE_S: Final = 0.5
_ATTEMPT_TIMEOUT_S: Final = 0.2
_MOST_SLACK: Final = 4
"""If a keeper does not answer in time, both limits are doubled, up to this factor, until one answers within the first ones.
Otherwise a replica with a slow link to them, which first has to connect, might never learn who is the primary."""

_ASK_AGAIN_S: Final = 0.02


def keepers_of(cluster: str) -> str:
    """The name of the cluster that is made up of the keepers of a cluster of replicas."""
    return f"{cluster}/keepers"


class KeeperUnreachable(Exception):
    """No keeper answered in time, or not so that it can be read. The request may have been carried out, or may still be."""


class EpochKeeper(Protocol):
    """A linearizable register with compare-and-set, which outlives the replicas that use it."""

    async def read(self) -> Configuration | None:
        """The configuration in force; None if there never was one. Raises `KeeperUnreachable`."""

    async def replace(self, expected: Configuration | None, by: Configuration) -> bool:
        """Replace one configuration by another; False if the first is not in force. Raises `KeeperUnreachable`."""


class RaftKeeper:
    """A key of a Raft group's key-value store.

    A compare-and-set is sent to one node that may carry it out, and sent again only if it certainly was not carried out. So it
    may be carried out after `KeeperUnreachable` was raised, but never twice: each configuration has a version, and comes into
    force only once.
    """

    def __init__(self, cluster: str, keepers: Mapping[str, Address], *, checked: bool = True) -> None:
        """Of the replicas' cluster. Keepers of another one refuse what they are asked. `checked`: damaged answers are lost."""
        self._headers = {name: Owner(keepers_of(cluster), name).headers for name in keepers}
        self._clients = {name: SealedClient(address, checked=checked) for name, address in keepers.items()}
        self._names = list(keepers)
        self._at = self._names[0]
        self._slack = 1

    async def read(self) -> Configuration | None:
        response = await self._asked("GET", b"", harmless=True)
        try:
            value = response.decode(Got).value
            return None if value is None else msgspec.json.decode(value, type=Configuration)
        except msgspec.MsgspecError as error:
            raise KeeperUnreachable(f"what a keeper told cannot be read: {error}") from error

    async def replace(self, expected: Configuration | None, by: Configuration) -> bool:
        body = Post(expected=None if expected is None else _text(expected), new=_text(by))
        response = await self._asked("POST", msgspec.json.encode(body), harmless=False)
        try:
            return response.decode(Swapped).swapped
        except BadAnswer as error:
            raise KeeperUnreachable(str(error)) from error

    async def _asked(self, method: str, body: bytes, *, harmless: bool) -> Response:
        clock, why, slack = asyncio.get_running_loop().time, "no keeper leads", self._slack
        until_s = clock() + slack * _PATIENCE_S
        while (left_s := until_s - (sent_s := clock())) > 0:
            name, leader = self._at, None
            timeout_s = min(left_s, slack * _ATTEMPT_TIMEOUT_S) if harmless else left_s
            try:
                response = await self._clients[name].request(
                    method, KEY_PATH + KEY, body, timeout_s=timeout_s, headers=self._headers[name]
                )
            except TransportError as error:
                why, surely_not = f"{name}: {error}", isinstance(error, Unreachable)
                if clock() - sent_s > timeout_s / 2:  # it waited, rather than being refused at once
                    self._slack = min(2 * slack, _MOST_SLACK)
            else:
                if response.status == 200:
                    if clock() < sent_s + _ATTEMPT_TIMEOUT_S:
                        self._slack = 1
                    return response
                told = _not_done(response)
                why, leader, surely_not = f"{name}: {told.error}", told.leader, told.outcome == "failed"
            self._at = leader if leader in self._clients and leader != name else self._after(name)
            if not surely_not and not harmless:
                break
            if self._at != leader:
                await asyncio.sleep(_ASK_AGAIN_S)
        raise KeeperUnreachable(why)

    def _after(self, name: str) -> str:
        return self._names[(self._names.index(name) + 1) % len(self._names)]


def _text(configuration: Configuration) -> str:
    return msgspec.json.encode(configuration).decode()


def _not_done(response: Response) -> NotDone:
    if response.status == MISDIRECTED:
        return NotDone("failed", response.body.decode(errors="replace"))
    try:
        return response.decode(NotDone)
    except msgspec.MsgspecError:
        return NotDone("unknown", f"status {response.status}, {response.body.decode(errors='replace')}")
