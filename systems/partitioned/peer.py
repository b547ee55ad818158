"""Another node, reached over its link; all requests and answers carry checksums."""

from __future__ import annotations

from typing import Final, TypeVar

import msgspec

from harness.http.client import HttpClient
from harness.http.message import Request, Response, TransportError
from harness.model.system import Address
from systems.partitioned.frames import Damaged
from systems.partitioned.messages import Refusal
from systems.parts.owner import Owner
from systems.parts.sealing import sealed, unsealed
from systems.parts.silence import SILENT_AFTER, Heard

T = TypeVar("T")

MAX_IN_FLIGHT: Final = 128
MAX_IN_FLIGHT_SILENT: Final = 8
"""After `SILENT_AFTER` unanswered requests in a row, fewer requests may be in flight until the node answers."""

REFUSED: Final = 409
BAD: Final = Response(400, b"damaged on its way")


class Peer:
    """Sends requests to one node, over few connections if it does not answer."""

    def __init__(self, peer: Owner, address: Address, *, checked: bool = True) -> None:
        self._client = HttpClient(address)
        self._headers = peer.headers
        self._checked = checked
        self.in_flight = 0
        """How many requests it waits for an answer to."""
        self._unanswered = 0
        self._answers = self._silences = 0

    @property
    def heard(self) -> Heard:
        return Heard(self._answers, self._silences, self._unanswered >= SILENT_AFTER)

    async def ask(self, path: str, request: object, kind: type[T], timeout_s: float) -> T | Refusal | None:
        """The answer, or a refusal; None if neither came: the node may still have carried the request out."""
        if self.in_flight >= (MAX_IN_FLIGHT_SILENT if self.heard.silent else MAX_IN_FLIGHT):
            return None
        self.in_flight += 1
        try:
            body = sealed(msgspec.json.encode(request))
            response = await self._client.request("POST", path, body, timeout_s=timeout_s, headers=self._headers)
        except TransportError:
            self._unanswered += 1
            self._silences += 1
            return None
        finally:
            self.in_flight -= 1
        self._unanswered = 0
        self._answers += 1
        if response.status not in (200, REFUSED):
            return None
        try:
            told = unsealed(response.body, checked=self._checked)
            return msgspec.json.decode(told, type=kind) if response.status == 200 else msgspec.json.decode(told, type=Refusal)
        except (Damaged, ValueError):  # of msgspec, or of Python for invalid UTF-8
            return None

    def close(self) -> None:
        self._client.close()


def read(request: Request, kind: type[T], *, checked: bool = True) -> T:
    """The content of a request. Raises `Damaged` if it changed on its way."""
    try:
        return msgspec.json.decode(unsealed(request.body, checked=checked), type=kind)
    except ValueError as error:  # of msgspec, or of Python for invalid UTF-8
        raise Damaged(str(error)) from error


def answer(value: object) -> Response:
    """The response to a node or the coordinator; a refusal has a status of its own."""
    status = REFUSED if isinstance(value, Refusal) else 200
    return Response(status, sealed(msgspec.json.encode(value)), (("content-type", "application/json"),))
