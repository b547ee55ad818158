"""A server for pipelined HTTP/1.1: the requests of one read are handled as a batch and answered together.

Most of the cost of a small request is in reads, writes and iterations of the event loop, and a batch shares these.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import Final, cast

from harness.http.deadlines import Deadline
from harness.http.logs import Log, log_exception, to_stderr
from harness.http.message import INTERNAL_ERROR, Response
from harness.http.moments import watch
from harness.http.pool import account
from harness.http.requests import Message, RequestHead, RequestParser
from harness.http.writing import CONTINUE, closing, encode_response, without_body
from harness.model.moment import Event
from harness.model.system import Address

MAX_WAITING_REQUESTS: Final = 1024
"""The limit on requests of one connection that wait for responses; at the limit, the connection is not read."""

_RAISED: Final = encode_response(INTERNAL_ERROR)
_UNANSWERED: Final = encode_response(Response(500, b"internal error: the handler left this request without an answer"))
_REFUSED: Final = RequestHead("", "", keep_alive=False)


class RequestBatch:
    """The requests of one read. A handler sets the answer of every message that has none yet, and calls `finish`.

    A read whose requests have different timeouts makes several batches.
    """

    __slots__ = ("_connection", "deadline", "finished", "messages", "on_given_up")

    def __init__(self, messages: list[Message], connection: _Connection, deadline: Deadline | None = None) -> None:
        self.messages = messages
        self.deadline = deadline
        """When the responses become useless; None if the client did not say."""
        self.finished = False
        self.on_given_up: Callable[[], object] | None = None
        """Called if the client goes away before the responses are sent."""
        self._connection = connection

    @property
    def given_up(self) -> bool:
        """Whether the client is gone."""
        return self._connection.lost

    def finish(self) -> None:
        """Send the responses, after those of the connection's earlier batches.

        A message without an answer gets 500, and is counted in the loop's `Account`: its handler has a bug.
        """
        self.finished = True
        self._connection.write_finished()


BatchHandler = Callable[[RequestBatch], None]
"""Handles a batch and finishes it at once or later. If it raises, messages without an answer get 500."""


async def listen(handler: BatchHandler, address: Address, log: Log = to_stderr) -> asyncio.Server:
    """Start answering on an address. The server runs until it is closed; open connections outlive it.

    The next batch of a connection may come before the last one is finished; responses are sent in the order of the requests.
    If the handler raises, `log` gets the traceback.
    """
    loop = asyncio.get_running_loop()
    return await loop.create_server(lambda: _Connection(handler, log), *address, reuse_address=True, backlog=4096)


class _Connection(asyncio.Protocol):
    """One accepted connection."""

    def __init__(self, handler: BatchHandler, log: Log) -> None:
        self._handler = handler
        self._log = log
        self._parser = RequestParser()
        self._batches: deque[RequestBatch] = deque()
        """The unanswered batches, in the order of their requests."""
        self._waiting = 0
        self._writable = True
        self._reading = True
        self.lost = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._account = account()
        self._account.accepted += 1
        self._watch = watch()

    def connection_lost(self, exc: Exception | None) -> None:
        self._account.accepted -= 1
        self.lost = True
        batches, self._batches = self._batches, deque()
        for batch in batches:
            if batch.on_given_up is not None:
                batch.on_given_up()

    def pause_writing(self) -> None:
        self._writable = False
        self._steer_reading()

    def resume_writing(self) -> None:
        self._writable = True
        self._steer_reading()

    def data_received(self, data: bytes) -> None:
        if self._parser.ended:
            return
        parser = self._parser
        messages = parser.feed(data)
        if self._watch.armed:
            for message in messages:
                self._watch.passes(Event.RECEIVED, message.head.path)
        if not self._batches and not messages and parser.take_continue():
            self._transport.write(CONTINUE)
        for message in messages:
            if message.head.timeout_ms is not None:
                self._hand_over(*self._timed_batches(messages))
                break
        else:
            if messages:
                self._hand_over(RequestBatch(messages, self))
        if parser.failure is not None:
            refusal = Response(parser.failure.status, f"bad request: {parser.failure}".encode())
            batch = RequestBatch([Message(_REFUSED, b"", encode_response(refusal))], self)
            self._add(batch)
            batch.finish()

    def _timed_batches(self, messages: Sequence[Message]) -> Iterator[RequestBatch]:
        now_s = asyncio.get_running_loop().time()
        for timeout_ms, alike in groupby(messages, key=lambda message: message.head.timeout_ms):
            deadline = None if timeout_ms is None else Deadline(now_s + timeout_ms / 1e3, timeout_ms)
            yield RequestBatch(list(alike), self, deadline)

    def _hand_over(self, *batches: RequestBatch) -> None:
        for batch in batches:  # all before the first is finished: a client is told to continue after the answers to all of them
            self._add(batch)
        for batch in batches:
            self._handle(batch)

    def _handle(self, batch: RequestBatch) -> None:
        try:
            self._handler(batch)
        except Exception as error:  # one batch's failure is its response
            log_exception(self._log, error)
            for message in batch.messages:
                message.answer = message.answer or _RAISED
            batch.finish()

    def _add(self, batch: RequestBatch) -> None:
        self._batches.append(batch)
        self._waiting += len(batch.messages)
        self._steer_reading()

    def write_finished(self) -> None:
        """Write the responses of the finished batches at the front of the queue."""
        answers: list[bytes] = []
        last = None
        while self._batches and self._batches[0].finished:
            messages = self._batches.popleft().messages
            self._waiting -= len(messages)
            if self._watch.armed:
                for message in messages:
                    self._watch.passes(Event.ANSWERING, message.head.path)
            if self._parser.bodiless:
                answers += [_encoded(message) for message in messages]
            else:  # the same, without a function call for each
                answers += [message.answer or _UNANSWERED for message in messages]
            last = messages[-1]
        if last is None or self._transport.is_closing():
            return
        self._account.unanswered += answers.count(_UNANSWERED)
        if not last.head.keep_alive:
            answers[-1] = closing(answers[-1])
        self._transport.write(b"".join(answers))
        if not last.head.keep_alive:
            self._transport.close()
            return
        if not self._batches and self._parser.take_continue():
            self._transport.write(CONTINUE)
        self._steer_reading()

    def _steer_reading(self) -> None:
        wanted = self._writable and self._waiting < MAX_WAITING_REQUESTS and not self._parser.ended
        if wanted == self._reading or self._transport.is_closing():
            return
        self._reading = wanted
        if wanted:
            self._transport.resume_reading()
        else:
            self._transport.pause_reading()


def _encoded(message: Message) -> bytes:
    """The response as it is sent."""
    answer = message.answer or _UNANSWERED
    return without_body(answer) if message.head.method == "HEAD" else answer
