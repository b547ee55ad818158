"""What a coordinator asks the ranks."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final, TypeVar

import msgspec

from harness.http.client import HttpClient
from harness.http.message import BadAnswer, Response, TransportError
from harness.model.system import Address
from systems.training.membership import Group
from systems.training.messages import FORM, PREPARE, REACH, Form, Prepare, Prepared, Reach

T = TypeVar("T")

_ANSWER_S: Final = 2.0
"""A rank that is heard has this long to leave its group: it may be in the middle of a long step."""


class Ranks:
    """The ranks, in the order of their numbers, at these addresses."""

    def __init__(self, addresses: Mapping[str, Address]) -> None:
        self._names = list(addresses)
        self._clients = {name: HttpClient(address) for name, address in addresses.items()}

    async def prepared(self, name: str, prepare: Prepare) -> Prepared | None:
        """A rank's answer once it has left its group; None if it does not answer, or refuses."""
        answer = await self._ask(name, PREPARE, msgspec.json.encode(prepare))
        return None if answer is None else _decoded(answer, Prepared)

    async def form(self, form: Form) -> tuple[str, ...]:
        """Tell the members that they are a group; returns those that did not answer, or refused."""
        body = msgspec.json.encode(form)
        told = await asyncio.gather(*(self._ask(name, FORM, body) for name in form.members))
        return tuple(name for name, answer in zip(form.members, told, strict=True) if answer is None)

    async def reaches_all(self, name: str, group: Group) -> bool:
        """Whether a rank and all members of a group reach each other; of two, the one with the lower number tries."""
        number = self._names.index
        later = tuple(member for member in group.members if number(member) > number(name))
        earlier = [member for member in group.members if member not in later]
        tries = [self._reaches(name, later), *(self._reaches(member, (name,)) for member in earlier)]
        return all(await asyncio.gather(*tries))

    async def _reaches(self, name: str, others: tuple[str, ...]) -> bool:
        answer = await self._ask(name, REACH, msgspec.json.encode(Reach(others=others)))
        reach = None if answer is None else _decoded(answer, Reach)
        return reach is not None and set(reach.others) == set(others)

    async def _ask(self, name: str, path: str, body: bytes) -> Response | None:
        """A rank's answer; None if it did not answer, or refused."""
        try:
            response = await self._clients[name].request("POST", path, body, timeout_s=_ANSWER_S)
        except TransportError:
            return None
        return response if response.status == 200 else None


def _decoded(answer: Response, kind: type[T]) -> T | None:
    """What a rank answered; None if it cannot be read, as if there were no answer."""
    try:
        return answer.decode(kind)
    except BadAnswer:
        return None
