"""Find where a message's head and body end (RFC 9112, sections 6, 7 and 9): the parsing that requests and responses share.

httptools validates and splits heads. Bodies are delimited here, because httptools reads on into the next message without saying
where the last one ended, and treats the body of a request that offers an upgrade as another protocol.
"""

from __future__ import annotations

import re
from enum import Enum
from typing import Final, Generic, TypeVar

import httptools
import msgspec

from harness.http.plain import LONGEST_HEAD_BYTES, Plain

MAX_HEAD_BYTES: Final = 64 * 1024
"""The limit on the first line and headers together."""

MAX_BODY_BYTES: Final = 64 * 1024 * 1024
"""The limit on a body."""

LONG_BODY_BYTES: Final = 64 * 1024
"""Bodies of at least this length are not copied more often than needed: each copy of a tensor shows in a step's time."""

CHUNKED: Final = -1
"""In place of a body's length: the body comes in chunks."""

UNTIL_CLOSE: Final = -2
"""In place of a body's length: the body ends with the connection."""

INTERIM: Final = -3
"""In place of a body's length: this is an interim response (1xx), and the final one follows."""

_MAX_KNOWN_HEADS: Final = 4096
_VERSIONS: Final = frozenset({"1.0", "1.1"})
_RELEVANT: Final = frozenset({b"content-length", b"transfer-encoding", b"connection", b"expect", b"timeout-ms"})
_CHUNK_SIZE: Final = re.compile(rb"[0-9A-Fa-f]{1,16}")

HeadT = TypeVar("HeadT")
ParserT = TypeVar("ParserT", httptools.HttpRequestParser, httptools.HttpResponseParser)


class Malformed(ValueError):
    """Bytes that are not an HTTP/1.1 message, or exceed a limit. `status` is how a server refuses such a request."""

    def __init__(self, why: str, status: int = 400) -> None:
        super().__init__(why)
        self.status = status


class Fields(msgspec.Struct, frozen=True):
    """The headers' information about a message's body and connection."""

    length: int | None
    chunked: bool
    encoded: bool
    """Whether there is a Transfer-Encoding at all."""
    keep_alive: bool
    version: str


class _Found:
    """What httptools finds in a head: it calls these methods."""

    def __init__(self) -> None:
        self.url = b""
        self.relevant: dict[bytes, bytes] = {}
        """The headers that parsers look at, names in lower case; several values of one name are joined by commas."""
        self.complete = False

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        name = name.lower()
        if name in _RELEVANT:
            self.relevant[name] = value if name not in self.relevant else self.relevant[name] + b"," + value

    def on_headers_complete(self) -> None:
        self.complete = True


class HeadReader(Generic[ParserT]):
    """Feeds a head to httptools and collects the results. `kind` is httptools' parser for requests or for responses."""

    def __init__(self, kind: type[ParserT]) -> None:
        self.found = _Found()  # not itself: a reader and a parser that hold each other are garbage that only `gc` frees
        self.parser: ParserT = kind(self.found)
        self._fed_bytes = 0

    def feed(self, data: bytes) -> None:
        """Raises `Malformed` as soon as this cannot become a head."""
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            pass  # ignoring the offer declines it
        except httptools.HttpParserError as error:
            raise Malformed(str(error)) from error

    def feed_whole(self, head: bytes) -> None:
        """Read a head whose only empty line is its end. Raises `Malformed` if httptools sees its end elsewhere."""
        if len(head) > MAX_HEAD_BYTES:
            raise _long_head()
        self.feed(head)
        if not self.found.complete or head.count(b"\n") != head.count(b"\r\n"):
            raise Malformed("a head whose lines do not end with CRLF")

    def feed_start(self, start: bytes) -> None:
        """Check the start of a head; more of it may have come since the last call."""
        if len(start) > MAX_HEAD_BYTES:
            raise _long_head()
        self.feed(start[self._fed_bytes :])
        self._fed_bytes = len(start)
        if self.found.complete:
            raise Malformed("a head whose lines do not end with CRLF")

    def fields(self) -> Fields:
        """The headers' information about body and connection. httptools has refused contradictions."""
        get = self.found.relevant.get
        length, encodings, options = get(b"content-length"), get(b"transfer-encoding"), get(b"connection")
        version = self.parser.get_http_version()
        if version not in _VERSIONS:
            raise Malformed(f"HTTP/{version} is not supported")
        keep_alive = version == "1.1"
        if options is not None:
            tokens = [token.strip() for token in options.lower().split(b",")]
            keep_alive = b"close" not in tokens and (keep_alive or b"keep-alive" in tokens)
        return Fields(
            None if length is None else int(length),
            encodings is not None and encodings.lower().rpartition(b",")[2].strip() == b"chunked",
            encodings is not None,
            keep_alive,
            version,
        )


def headers_of(head: bytes) -> list[tuple[str, str]]:
    """All headers of a head that a `HeadReader` has accepted, names in lower case."""
    lines = [line.partition(b":") for line in head.strip(b"\r\n").split(b"\r\n")[1:]]
    return [(name.decode("latin-1").lower(), value.strip(b" \t").decode("latin-1")) for name, _, value in lines]


def _long_head() -> Malformed:
    return Malformed(f"a head of more than {MAX_HEAD_BYTES} bytes", 431)


def long_body(limit_bytes: int) -> Malformed:
    """The refusal of a body above its limit."""
    return Malformed(f"a body of more than {limit_bytes} bytes", 413)


class KnownHeads(Generic[HeadT]):
    """A cache of parsed heads, by their bytes. Most heads on a connection are alike and mean the same each time."""

    def __init__(self) -> None:
        self._heads: dict[bytes, HeadT] = {}
        self.get = self._heads.get
        self.plain: Plain[HeadT] = {}
        """The heads of the usual kind."""

    def remember(self, text: bytes, head: HeadT, plain: tuple[int, int] | None) -> HeadT:
        """Cache a parsed head. `plain` is the body's length and the status, if the head is of the usual kind."""
        if len(text) <= LONGEST_HEAD_BYTES:
            if len(self._heads) >= _MAX_KNOWN_HEADS:
                self._heads.clear()
                self.plain.clear()
            self._heads[text] = head
            if plain is not None:
                self.plain[text] = (head, *plain)
        return head


class Unread:
    """Received bytes of an incomplete message. They are joined only once they may be complete."""

    __slots__ = ("_needed_bytes", "_parts", "size")

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._needed_bytes = 0
        self.size = 0

    def add(self, data: bytes) -> bytes:
        """Return all kept bytes and `data`, and forget them; return nothing while they are known to be too few."""
        if not self._parts:
            return data
        self._parts.append(data)
        self.size += len(data)
        return b"" if self.size < self._needed_bytes else self.take()

    def keep(self, data: bytes, needed_bytes: int = 0) -> None:
        """Keep the rest of what `add` returned. The message is incomplete until there are `needed_bytes`."""
        if data:
            self._parts.append(data)
            self.size = len(data)
            self._needed_bytes = needed_bytes

    def take(self) -> bytes:
        """Return all kept bytes, and forget them."""
        data = b"".join(self._parts)
        self._parts.clear()
        self.size = 0
        return data


class LongBody:
    """Collects one body whose length its head announced. Its pieces are joined once, without the head."""

    def __init__(self, body_bytes: int) -> None:
        self._parts: list[bytes] = []
        self._left = body_bytes

    def content(self) -> bytes:
        """The body, once it is complete."""
        return b"".join(self._parts)

    def feed(self, data: bytes, at: int) -> int | None:
        """The position in `data` where the body ends; None if the body goes on after `data`."""
        part = data[at : at + self._left]
        self._parts.append(part)
        self._left -= len(part)
        return None if self._left else at + len(part)


class _Expected(Enum):
    SIZE = "a chunk's size"
    DATA_END = "the end of a chunk's line"
    TRAILER = "a trailer or the last line"


class ChunkedBody:
    """Decodes one chunked body (RFC 9112, section 7.1). Extensions and trailers are skipped."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._parts: list[bytes] = []
        self._body_bytes = 0
        self._chunk_left = 0
        self._expected = _Expected.SIZE
        self._line = b""
        self._trailer_bytes = 0

    def content(self) -> bytes:
        """The decoded body, once it is complete."""
        return b"".join(self._parts)

    def feed(self, data: bytes, at: int) -> int | None:
        """The position in `data` where the body ends; None if the body goes on after `data`. Raises `Malformed`."""
        while True:
            if self._chunk_left:
                part = data[at : at + self._chunk_left]
                self._parts.append(part)
                self._chunk_left -= len(part)
                at += len(part)
            line_end = data.find(b"\n", at) + 1
            self._line += data[at : line_end or len(data)]
            if len(self._line) + self._trailer_bytes > MAX_HEAD_BYTES:
                raise Malformed("a line or trailers of a chunked body that are too long", 431)
            if not line_end:
                return None
            at, line, self._line = line_end, self._line, b""
            if not line.endswith(b"\r\n") or line.find(b"\r") < len(line) - 2 or b"\0" in line:
                raise Malformed("a line of a chunked body that does not end with CRLF")
            if self._take_line(line[:-2]):
                return at

    def _take_line(self, line: bytes) -> bool:
        """Whether the body ends with this line."""
        match self._expected:
            case _Expected.SIZE:
                digits = line.partition(b";")[0].rstrip(b" \t")
                if not _CHUNK_SIZE.fullmatch(digits):
                    raise Malformed("a chunk size that is not a hexadecimal number")
                self._chunk_left = int(digits, 16)
                self._body_bytes += self._chunk_left
                if self._body_bytes > self._max_bytes:
                    raise long_body(self._max_bytes)
                self._expected = _Expected.DATA_END if self._chunk_left else _Expected.TRAILER
            case _Expected.DATA_END:
                if line:
                    raise Malformed("a chunk that is longer than its size")
                self._expected = _Expected.SIZE
            case _Expected.TRAILER:
                if line and (b":" not in line or line.startswith((b" ", b"\t"))):
                    raise Malformed("a trailer that is not a header")
                self._trailer_bytes += len(line) + 2
                return not line
        return False
