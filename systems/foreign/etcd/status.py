"""The status of a member of an etcd cluster, and the leader according to all members."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final

import msgspec

from harness.http.client import HttpClient
from harness.http.message import TransportError
from harness.model.errors import FaultError
from harness.model.system import Address

_TIMEOUT_S: Final = 1.0


class _Header(msgspec.Struct, frozen=True):
    member_id: str = ""
    raft_term: str = "0"


class Status(msgspec.Struct, frozen=True, rename={"term": "raftTerm"}):
    """A member's answer; numbers are strings, as Protobuf's JSON has 64-bit numbers."""

    header: _Header
    leader: str = ""
    """The id of the leader; empty if this member knows none."""
    term: str = "0"


async def status(address: Address) -> Status:
    """Ask one member. Raises `ConnectionError` if it does not answer."""
    client = HttpClient(address)
    try:
        response = await client.request("POST", "/v3/maintenance/status", b"{}", timeout_s=_TIMEOUT_S)
    except TransportError as error:
        raise ConnectionError(str(error)) from error
    finally:
        client.close()
    if response.status != 200:
        raise ConnectionError(f"status {response.status}: {response.body.decode(errors='replace')}")
    return response.decode(Status)


async def leading(addresses: Mapping[str, Address]) -> str:
    """The leader according to the members with the newest term. Raises `FaultError` if no member knows one."""
    asked = await asyncio.gather(*map(status, addresses.values()), return_exceptions=True)
    answers = {name: found for name, found in zip(addresses, asked, strict=True) if isinstance(found, Status)}
    leaders = [(int(answer.term), answer.leader) for answer in answers.values() if answer.leader not in ("", "0")]
    if not leaders:
        raise FaultError("no member knows a leader")
    _, leader = max(leaders)
    for name, answer in answers.items():
        if answer.header.member_id == leader:
            return name
    raise FaultError("the leader, according to the members, does not answer")
