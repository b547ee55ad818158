"""Administration of a Raft group: find the leader, change members, hand leadership over."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final

import msgspec

from harness.http.client import HttpClient
from harness.http.message import BadAnswer, Response, TransportError
from harness.model.system import Address
from systems.raft.messages import LEADER_PATH, MEMBERS_PATH, RAFT_PATH, Change, HandOver, NotDone, Status

_ASK_S: Final = 0.3
_CHANGE_S: Final = 1.2
_PATIENCE_S: Final = 4.0
_ASK_AGAIN_S: Final = 0.05
_HANDS_OVER_S: Final = 0.6
"""After it was asked to hand over, a leader is left alone for this long: it refuses commands while it hands over, and so would
refuse them all the time if it were asked again and again to hand over to a node that does not answer."""


async def leader(addresses: Mapping[str, Address]) -> str:
    """The node that leads the latest term; asks until there is one."""
    while True:
        leading = [one for one in await _all(addresses) if one.role == "leader"]
        if leading:
            return max(leading, key=lambda one: one.term).name
        await asyncio.sleep(_ASK_AGAIN_S)


async def change_member(name: str, joins: bool, addresses: Mapping[str, Address]) -> str | None:
    """Return None once a node is a voter, or is no longer a member; or, after some seconds, why it is not."""
    why, until_s = "no node leads", _now_s() + _PATIENCE_S
    while _now_s() < until_s:
        for status in [one for one in await _all(addresses) if one.role == "leader"]:
            if (name in status.members.voters) if joins else (name not in status.members.all):
                if not status.changing:
                    return None
                why = f"{status.name} has yet to commit the change"
                continue
            if name in status.members.learners and joins:
                why = f"{name} has yet to catch up"
                continue
            change = Change(add=name) if joins else Change(remove=name)
            why = await _ask(addresses[status.name], MEMBERS_PATH, change) or why
        await asyncio.sleep(_ASK_AGAIN_S)
    return why


async def hand_over(name: str, addresses: Mapping[str, Address]) -> str | None:
    """Return None once a node leads; or, after some seconds, why it does not."""
    why, until_s, asked, ask_at_s = "no node leads", _now_s() + _PATIENCE_S, "", 0.0
    while _now_s() < until_s:
        leading = max((one for one in await _all(addresses) if one.role == "leader"), key=lambda one: one.term, default=None)
        if leading is not None and leading.name == name:
            return None
        if leading is not None and (leading.name != asked or _now_s() >= ask_at_s):
            refused = await _ask(addresses[leading.name], LEADER_PATH, HandOver(name))
            why = refused or f"{leading.name} leads"
            asked, ask_at_s = leading.name, _now_s() + (0.0 if refused else _HANDS_OVER_S)
        await asyncio.sleep(2 * _ASK_AGAIN_S)
    return why


async def _all(addresses: Mapping[str, Address]) -> list[Status]:
    found = await asyncio.gather(*(_status(address) for address in addresses.values()))
    return [one for one in found if one is not None]


async def _status(address: Address) -> Status | None:
    response = await _request(address, "GET", RAFT_PATH, b"", _ASK_S)
    if not isinstance(response, Response) or response.status != 200:
        return None
    try:
        return response.decode(Status)
    except BadAnswer:
        return None


async def _ask(address: Address, path: str, body: Change | HandOver) -> str | None:
    """Why a request was not carried out; None if it was."""
    response = await _request(address, "POST", path, msgspec.json.encode(body), _CHANGE_S)
    if not isinstance(response, Response):
        return response
    if response.status < 300:
        return None
    try:
        return response.decode(NotDone).error
    except BadAnswer:
        return f"status {response.status}"


async def _request(address: Address, method: str, path: str, body: bytes, timeout_s: float) -> Response | str:
    client = HttpClient(address)
    try:
        return await client.request(method, path, body, timeout_s=timeout_s)
    except TransportError as error:
        return str(error)
    finally:
        client.close()


def _now_s() -> float:
    return asyncio.get_running_loop().time()
