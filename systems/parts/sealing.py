"""Checksums of messages between nodes: a message that a link has changed counts as lost, even if it can still be read.

TCP's checksum and Ethernet's miss some errors, and none of them covers the memory on the way. So the body of a request starts
with a checksum of its method, its path and its content, and that of the answer with one of its status, its content and the
request's own checksum: an answer to another request does not pass either. The checksum is in the body and not in a header
because the HTTP server parses equal heads only once.

`SealedClient` takes the place of `HttpClient`, and `answered` wraps a node's handler. Requests of clients, which carry no
checksum, pass as they are. If a sealed request loses the header that says so, its body cannot be read, and the sender does not
accept an answer without a checksum.

The checksums are XXH3 (xxhash.com): against accidents, not against attacks.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Final
from urllib.parse import parse_qsl, unquote

import xxhash

from harness.http.client import HttpClient
from harness.http.message import BadAnswer, Headers, Request, Response
from harness.model.system import Address
from systems.parts.record_log import Damaged

SEALED_HEADER: Final = "sealed"
"""The header of a request whose body starts with its checksum."""

DAMAGED: Final = Response(400, b"damaged on its way")
"""The answer to a damaged request. It has no checksum, so the other node counts it as lost as well."""

_SEAL_BYTES: Final = 16
_SEALED: Final = ((SEALED_HEADER, "yes"),)


def sealed(body: bytes, about: bytes = b"") -> bytes:
    """A message behind its checksum, which also covers what the message is about."""
    return _seal(body, about) + body


def unsealed(message: bytes, about: bytes = b"", *, checked: bool = True) -> bytes:
    """The message without its checksum. Raises `Damaged` if it is not what was sent."""
    body = message[_SEAL_BYTES:]
    if checked and message[:_SEAL_BYTES] != _seal(body, about):
        raise Damaged("its checksum does not match")
    return body


class SealedClient:
    """An HTTP client that seals its requests, and takes only sealed answers."""

    def __init__(self, address: Address, *, checked: bool = True) -> None:
        self.address = address
        self._client = HttpClient(address)
        self._checked = checked

    async def request(self, method: str, path: str, body: bytes = b"", *, timeout_s: float, headers: Headers = ()) -> Response:
        """As `HttpClient.request`. Raises `BadAnswer` if the request or its answer was damaged: it may have taken effect."""
        message = sealed(body, _about(method, *_decoded(path)))
        response = await self._client.request(method, path, message, timeout_s=timeout_s, headers=(*headers, *_SEALED))
        try:
            content = unsealed(response.body, _about_answer(response.status, message), checked=self._checked)
        except Damaged as error:
            raise BadAnswer(f"the answer, with status {response.status}, was damaged on its way: {error}") from error
        return Response(response.status, content, response.headers)

    def close(self) -> None:
        self._client.close()


def is_sealed(request: Request) -> bool:
    """Whether a node has sealed a request."""
    return SEALED_HEADER in request.headers


def opened(request: Request, *, checked: bool = True) -> Request:
    """A sealed request, with the body that was sent. Raises `Damaged` if it is not what was sent."""
    body = unsealed(request.body, _about(request.method, request.path, request.query), checked=checked)
    return Request(request.method, request.path, request.query, request.headers, body)


def answer_to(request: Request, response: Response) -> Response:
    """The response to a sealed request, sealed."""
    return Response(
        response.status, sealed(response.body, _about_answer(response.status, request.body)), response.headers
    )  # fmt: skip


async def answered(
    request: Request, answer: Callable[[Request], Awaitable[Response]], *, checked: bool = True
) -> Response:  # fmt: skip
    """A node's response: sealed if the request is, and `DAMAGED` if the request was damaged."""
    if not is_sealed(request):
        return await answer(request)
    try:
        content = opened(request, checked=checked)
    except Damaged:
        return DAMAGED
    return answer_to(request, await answer(content))


def _seal(body: bytes, about: bytes) -> bytes:
    return b"%016x" % xxhash.xxh3_64_intdigest(body, xxhash.xxh3_64_intdigest(about) if about else 0)


def _decoded(target: str) -> tuple[str, Mapping[str, str]]:
    """The path and query of a target, as the server decodes them."""
    path, _, query = target.partition("?")
    return unquote(path) if "%" in path else path, dict(parse_qsl(query, keep_blank_values=True)) if query else {}


def _about(method: str, path: str, query: Mapping[str, str]) -> bytes:
    parts = [f"{method} {path}", *(f"{name}={value}" for name, value in query.items())]
    return "\n".join(parts).encode(errors="surrogatepass")


def _about_answer(status: int, request: bytes) -> bytes:
    return b"%d %b" % (status, request[:_SEAL_BYTES])
