"""A server for pipelined HTTP/1.1: the requests that one read brought are handed over as a run, and answered together.

The time that goes into a small request is mostly spent on reads, writes and turns of the loop, and a run shares those. Plain
requests (a length, no `Expect`, no `Upgrade`, nothing chunked) are cut out by the length in their head, and equal heads are
parsed once. Where anything else comes, the rest of its connection goes through the parser.
"""

from __future__ import annotations

import asyncio
import sys
import traceback
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import Final, cast
from urllib.parse import unquote

import httptools
import msgspec

from harness.http import deadlines
from harness.http.deadlines import Deadline
from harness.http.message import MAX_BODY_BYTES, Response
from harness.http.writing import encode_response
from harness.model.system import Address

MAX_HEAD_BYTES: Final = 64 * 1024
"""A request whose line and headers are longer is refused."""

MAX_WAITING_REQUESTS: Final = 1024
"""Requests of one connection that wait for their answers; then it is not read until some have been answered."""

_MAX_PLAIN_HEAD_BYTES: Final = 4096
_MAX_KNOWN_HEADS: Final = 4096


class Head(msgspec.Struct, frozen=True):
    """What the first line and the headers of a request say. `path` is decoded and without its query."""

    method: str
    path: str
    body_bytes: int = 0
    """As announced; 0 where the request came in chunks."""
    keep_alive: bool = True
    timeout_ms: int | None = None
    """How long the client has a use for the answer, by its `timeout-ms`; None where it does not say."""


class Message(msgspec.Struct):
    """One request, and its whole answer as it goes on the wire; empty until there is one."""

    head: Head
    body: bytes
    answer: bytes = b""


class RequestBatch:
    """The requests of one read. Who handles it sets every message's answer, keeps those already set, and calls `finish`.

    A read whose requests say different timeouts is several runs.
    """

    __slots__ = ("_connection", "deadline", "finished", "messages", "on_given_up")

    def __init__(self, messages: list[Message], connection: _Connection, deadline: Deadline | None = None) -> None:
        self.messages = messages
        self.deadline = deadline
        """Until when the answers are of use; None where the client did not say."""
        self.finished = False
        self.on_given_up: Callable[[], object] | None = None
        """Called when the client goes away before the answers were sent."""
        self._connection = connection

    @property
    def given_up(self) -> bool:
        """Nobody waits for the answers any more."""
        return self._connection.lost

    def finish(self) -> None:
        """Send the answers, after those of earlier runs of the connection. What has none is answered 500."""
        self.finished = True
        self._connection.write_finished()


BatchHandler = Callable[[RequestBatch], None]
"""Is told of each run, and finishes it at once or later. If it raises, what has no answer yet is answered 500."""


async def listen(handler: BatchHandler, address: Address) -> asyncio.Server:
    """Start answering on an address. The server runs until it is closed; open connections outlive it.

    The next run of a connection may come before the last one is finished; the answers are sent in the order of the requests.
    """
    loop = asyncio.get_running_loop()
    return await loop.create_server(lambda: _Connection(handler), *address, reuse_address=True, backlog=4096)


class Cutter:
    """Cuts requests out of one connection's bytes, however those are split."""

    def __init__(self) -> None:
        self.failure: str | None = None
        """Why nothing more can be cut out. No bytes are taken after that, nor after a request that ends its connection."""
        self._kept: list[bytes] = []
        self._kept_bytes = 0
        self._needed_bytes = 0
        """The request that is kept in part is not whole before there are so many."""
        self._parser: _Parser | None = None

    def feed(self, data: bytes) -> list[Message]:
        """The requests that are whole with these bytes, in their order."""
        if self._parser is not None:
            return self._parse(data)
        if self._kept:
            self._kept.append(data)
            self._kept_bytes += len(data)
            if self._kept_bytes < self._needed_bytes:
                return []
            data = b"".join(self._kept)
        messages: list[Message] = []
        at, self._needed_bytes = 0, 0
        while (end := data.find(b"\r\n\r\n", at) + 4) > 3:
            text = data[at:end]
            head = _known.get(text) or _plain_head(text)
            if head is None:
                return messages + self._switch(data[at:])
            stop = end + head.body_bytes
            if stop > len(data):
                self._needed_bytes = stop - at
                break
            messages.append(Message(head, data[end:stop]))
            at = stop
        rest = data[at:]
        if rest and not self._needed_bytes and not _may_be_plain(rest):
            return messages + self._switch(rest)
        self._kept, self._kept_bytes = [rest] if rest else [], len(rest)
        return messages

    @property
    def wants_continue(self) -> bool:
        """The client waits to be told to send its body; asking takes the wish away."""
        return self._parser is not None and self._parser.take_continue()

    def _switch(self, data: bytes) -> list[Message]:
        self._kept.clear()
        self._parser = _Parser()
        return self._parse(data)

    def _parse(self, data: bytes) -> list[Message]:
        assert self._parser is not None  # noqa: S101 - only called where there is one
        messages, self.failure = self._parser.feed(data)
        return messages


class _Parser:
    """Requests of every kind, by httptools."""

    def __init__(self) -> None:
        self._parser = httptools.HttpRequestParser(self)
        self._messages: list[Message] = []
        self.head_complete = False
        self.plain = True
        self._expects = False
        self._begin()

    def feed(self, data: bytes) -> tuple[list[Message], str | None]:
        """The requests that are whole now, and why nothing may follow them, if so."""
        failure = None
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:  # an offer, not a demand: its request is answered, on a connection that then ends
            last = self._messages[-1]
            last.head = msgspec.structs.replace(last.head, keep_alive=False)
        except httptools.HttpParserError as error:
            reason = error.__context__ if isinstance(error, httptools.HttpParserCallbackError) else error
            failure = str(reason)
        messages, self._messages = self._messages, []
        return messages, failure

    def head(self) -> Head:
        path = self._url.partition(b"?")[0].decode("latin-1")
        return Head(
            self._parser.get_method().decode("latin-1"),
            unquote(path) if "%" in path else path,
            self._announced_bytes,
            self._parser.should_keep_alive(),
            self._timeout_ms,
        )

    def take_continue(self) -> bool:
        expects, self._expects = self._expects, False
        return expects

    def _begin(self) -> None:
        self._url = b""
        self._head_bytes = self._body_bytes = self._announced_bytes = 0
        self._timeout_ms: int | None = None
        self._body: list[bytes] = []
        self._expects = False

    def on_url(self, url: bytes) -> None:
        self._url += url
        self._count_head(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        self._count_head(len(name) + len(value))
        match name.lower():
            case b"content-length":
                self._announced_bytes = int(value)
            case b"timeout-ms":
                self._timeout_ms = deadlines.timeout_ms(value)
            case b"expect":
                self._expects = value.lower() == b"100-continue"
                self.plain = False
            case b"transfer-encoding" | b"upgrade" | b"connection":
                self.plain = False

    def on_headers_complete(self) -> None:
        self.head_complete = True
        if self._announced_bytes > MAX_BODY_BYTES:
            raise _TooLong(f"a body of more than {MAX_BODY_BYTES} bytes")

    def on_body(self, body: bytes) -> None:
        self._body_bytes += len(body)
        if self._body_bytes > MAX_BODY_BYTES:
            raise _TooLong(f"a body of more than {MAX_BODY_BYTES} bytes")
        self._body.append(body)

    def on_message_complete(self) -> None:
        self._messages.append(Message(self.head(), b"".join(self._body)))
        self._begin()

    def _count_head(self, size: int) -> None:
        self._head_bytes += size
        if self._head_bytes > MAX_HEAD_BYTES:
            raise _TooLong(f"a head of more than {MAX_HEAD_BYTES} bytes")


class _TooLong(Exception):
    pass


_known: Final[dict[bytes, Head]] = {}
"""The plain heads seen lately, by their bytes. What a head says depends on nothing else."""


def _plain_head(text: bytes) -> Head | None:
    """What a head says whose request can be cut out by its length; None where the parser has to do it."""
    if len(text) > _MAX_PLAIN_HEAD_BYTES or not text.startswith((b"POST /", b"GET /")):
        return None
    parser = _Parser()
    _, failure = parser.feed(text[:-1])
    if failure or parser.head_complete:  # it ends elsewhere in the eyes of the parser
        return None
    messages, failure = parser.feed(text[-1:])
    if failure or not parser.head_complete or not parser.plain:
        return None
    head = messages[0].head if messages else parser.head()
    if not head.keep_alive or bool(messages) == bool(head.body_bytes):
        return None
    if len(_known) >= _MAX_KNOWN_HEADS:
        _known.clear()
    _known[text] = head
    return head


def _may_be_plain(beginning: bytes) -> bool:
    return len(beginning) <= _MAX_PLAIN_HEAD_BYTES and (
        b"POST /".startswith(beginning[:6]) or b"GET /".startswith(beginning[:5])
    )


_INTERNAL_ERROR: Final = encode_response(Response(500, b"internal error; see the node's log"))
_REFUSED: Final = Head("", "", keep_alive=False)


class _Connection(asyncio.Protocol):
    """One accepted connection."""

    def __init__(self, handler: BatchHandler) -> None:
        self._handler = handler
        self._cutter = Cutter()
        self._runs: deque[RequestBatch] = deque()
        self._waiting = 0
        self._writable = True
        self._reading = True
        self._ended = False
        """The last request has come: no more is read."""
        self.lost = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True
        runs, self._runs = self._runs, deque()
        for run in runs:
            if run.on_given_up is not None:
                run.on_given_up()

    def pause_writing(self) -> None:
        self._writable = False
        self._steer_reading()

    def resume_writing(self) -> None:
        self._writable = True
        self._steer_reading()

    def data_received(self, data: bytes) -> None:
        if self._ended:
            return
        messages = self._cutter.feed(data)
        timed = False
        for number, message in enumerate(messages, start=1):
            head = message.head
            if head.timeout_ms is not None:
                timed = True
            if not head.keep_alive:
                del messages[number:]
                self._ended = True
        if self._cutter.wants_continue and not self._runs and not messages:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        if timed:
            for run in self._timed_runs(messages):
                self._hand_over(run)
        elif messages:
            self._hand_over(RequestBatch(messages, self))
        if self._cutter.failure is not None and not self._ended:
            self._ended = True
            refusal = encode_response(Response(400, f"bad request: {self._cutter.failure}".encode()))
            run = RequestBatch([Message(_REFUSED, b"", refusal)], self)
            self._add(run)
            run.finish()

    def _timed_runs(self, messages: Sequence[Message]) -> Iterator[RequestBatch]:
        now_s = asyncio.get_running_loop().time()
        for timeout_ms, alike in groupby(messages, key=lambda message: message.head.timeout_ms):
            deadline = None if timeout_ms is None else Deadline(now_s + timeout_ms / 1e3, timeout_ms)
            yield RequestBatch(list(alike), self, deadline)

    def _hand_over(self, run: RequestBatch) -> None:
        self._add(run)
        try:
            self._handler(run)
        except Exception:  # one run's failure is its answer, and is in the node's log
            traceback.print_exc(file=sys.stderr)
            run.finish()

    def _add(self, run: RequestBatch) -> None:
        self._runs.append(run)
        self._waiting += len(run.messages)
        self._steer_reading()

    def write_finished(self) -> None:
        """Write the answers of the finished runs that no unfinished one comes before."""
        answers: list[bytes] = []
        last = None
        while self._runs and self._runs[0].finished:
            messages = self._runs.popleft().messages
            self._waiting -= len(messages)
            answers.extend([_sent(message) for message in messages])
            last = messages[-1]
        if last is None or self._transport.is_closing():
            return
        if not last.head.keep_alive:
            answers[-1] = answers[-1].replace(b"\r\n", b"\r\nconnection: close\r\n", 1)
        self._transport.write(b"".join(answers))
        if last.head.keep_alive:
            self._steer_reading()
        else:
            self._transport.close()

    def _steer_reading(self) -> None:
        wanted = self._writable and self._waiting < MAX_WAITING_REQUESTS and not self._ended
        if wanted == self._reading or self._transport.is_closing():
            return
        self._reading = wanted
        if wanted:
            self._transport.resume_reading()
        else:
            self._transport.pause_reading()


def _sent(message: Message) -> bytes:
    """The answer as it goes out: to HEAD, without its body."""
    answer = message.answer or _INTERNAL_ERROR
    return answer[: answer.index(b"\r\n\r\n") + 4] if message.head.method == "HEAD" else answer
