"""Asks the nodes of a parameter server which server leads."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import closing
from typing import Final

from harness.http.client import HttpClient
from harness.http.message import TransportError
from harness.model.system import Address
from systems.parameter_server.messages import STATUS, Promised

_ASK_S: Final = 0.3


async def leader(addresses: Mapping[str, Address]) -> str:
    """The master of the latest term: a server that says so, or else the one that workers have promised themselves to.

    Raises `TransportError` if no node knows of one.
    """
    answers = await asyncio.gather(*(_status(address) for address in addresses.values()))
    known = [answer for answer in answers if answer is not None and answer.server]
    if not known:
        raise TransportError("no server leads now")
    return max(known, key=lambda answer: (answer.granted, answer.term)).server


async def _status(address: Address) -> Promised | None:
    try:
        with closing(HttpClient(address)) as client:
            return (await client.request("GET", STATUS, timeout_s=_ASK_S)).decode(Promised)
    except TransportError:
        return None
