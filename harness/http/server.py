"""An HTTP/1.1 server for handlers that take one request at a time. A connection's responses keep the order of its requests."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final, cast

from harness.http.logs import Log, log_exception, to_stderr
from harness.http.message import INTERNAL_ERROR, BadBody, Pieces, Request, Response
from harness.http.moments import watch
from harness.http.pool import account
from harness.http.requests import Message, RequestParser
from harness.http.writing import CONTINUE, encode_response, response_parts
from harness.model.moment import Event
from harness.model.system import Address

MAX_WAITING_REQUESTS: Final = 64
"""The limit on pipelined requests read ahead on one connection; at the limit, the connection is not read."""

Handler = Callable[[Request], Awaitable[Response]]


async def listen(handler: Handler, address: Address, log: Log = to_stderr) -> asyncio.Server:
    """Start answering on an address. The server runs until it is closed.

    If the handler raises, or returns what cannot be sent, its request gets 500 and `log` gets the traceback; a body that
    `Request.decode` refuses gets 400.
    If the handler raises `CancelledError` although it was not cancelled itself, that is a failure like any other.
    """
    loop = asyncio.get_running_loop()
    return await loop.create_server(lambda: connection(handler, log), *address, reuse_address=True, backlog=4096)


def connection(handler: Handler, log: Log = to_stderr) -> asyncio.Protocol:
    """The server's end of one connection, for code that accepts connections by other means than `listen`."""
    return _Connection(handler, log)


class _Connection(asyncio.Protocol):
    """One accepted connection. The parser fills a queue, and one task answers its requests in order."""

    def __init__(self, handler: Handler, log: Log) -> None:
        self._handler = handler
        self._log = log
        self._parser = RequestParser()
        self._waiting: deque[Message | Response] = deque()
        """Unanswered requests, and last the refusal of what could not be parsed, if any."""
        self._answering: asyncio.Task[None] | None = None
        self._held = False
        """Whether reading is paused."""
        self._writable = asyncio.Event()
        self._writable.set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._account = account()
        self._account.accepted += 1
        self._watch = watch()

    def connection_lost(self, exc: Exception | None) -> None:
        self._account.accepted -= 1
        if self._answering is not None:
            self._answering.cancel()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def data_received(self, data: bytes) -> None:
        if self._parser.ended:
            return
        parser = self._parser
        self._waiting.extend(parser.feed(data))
        if parser.failure is not None:
            self._waiting.append(Response(parser.failure.status, f"bad request: {parser.failure}".encode()))
        if not self._waiting and self._answering is None and parser.take_continue():
            self._transport.write(CONTINUE)
        if parser.ended or len(self._waiting) >= MAX_WAITING_REQUESTS:
            self._held = True
            self._transport.pause_reading()
        if self._waiting and self._answering is None:
            self._answering = asyncio.get_running_loop().create_task(self._answer())

    async def _answer(self) -> None:
        try:
            while self._waiting:
                message = self._waiting.popleft()
                if isinstance(message, Response):
                    self._transport.write(encode_response(message, keep_alive=False))
                    break
                head = message.head
                self._watch.passes(Event.RECEIVED, head.path)
                response = await self._respond(Request(head.method, head.path, head.query, head.headers, message.body))
                parts = self._encoded(response, keep_alive=head.keep_alive, with_body=head.method != "HEAD")
                self._watch.passes(Event.ANSWERING, head.path)
                self._transport.writelines(parts)
                if not head.keep_alive:
                    break
                if self._held and len(self._waiting) < MAX_WAITING_REQUESTS // 2 and not self._parser.ended:
                    self._held = False
                    self._transport.resume_reading()
                if not self._writable.is_set():
                    await self._writable.wait()
            else:
                if self._parser.take_continue():
                    self._transport.write(CONTINUE)
                return
            self._transport.close()
        finally:
            self._answering = None

    async def _respond(self, request: Request) -> Response:
        try:
            return await self._handler(request)
        except BadBody as error:  # no other decoding error, which may come after the request has taken effect
            return Response(400, f"bad request body: {error}".encode())
        except Exception as error:  # one request's failure is its response
            return self._failed(error)
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is None or task.cancelling():  # the client is gone, or the node ends
                raise
            return self._failed(error)

    def _encoded(self, response: Response, *, keep_alive: bool, with_body: bool) -> Pieces:
        try:
            return response_parts(response, keep_alive=keep_alive, with_body=with_body)
        except Exception as error:  # it cannot be sent, such as a header outside Latin-1
            return response_parts(self._failed(error), keep_alive=keep_alive, with_body=with_body)

    def _failed(self, error: BaseException) -> Response:
        log_exception(self._log, error)
        return INTERNAL_ERROR
