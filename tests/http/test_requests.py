"""Requests come out the same however the network splits their bytes."""

from __future__ import annotations

import contextlib
import itertools

import httptools
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.http.framing import LONG_BODY_BYTES, MAX_BODY_BYTES, MAX_HEAD_BYTES
from harness.http.requests import Message, RequestParser


def post(body: bytes, headers: bytes = b"") -> bytes:
    return b"POST /predict HTTP/1.1\r\nhost: a\r\n" + headers + b"content-length: %d\r\n\r\n" % len(body) + body


def chunked(body: bytes) -> bytes:
    chunk = b"%x\r\n" % len(body) + body + b"\r\n" if body else b""
    return b"POST /chunks HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n" + chunk + b"0\r\n\r\n"


def seen(messages: list[Message]) -> list[tuple[str, str, bytes]]:
    return [(message.head.method, message.head.path, message.body) for message in messages]


BODIES = st.one_of(
    st.binary(max_size=40),
    st.sampled_from([b"\r\n\r\n", b"POST / HTTP/1.1\r\n\r\n", b"x" * 5000, post(b"") * (LONG_BODY_BYTES // 40)]),
)
REQUESTS = st.one_of(
    BODIES.map(lambda body: (post(body), ("POST", "/predict", body))),
    BODIES.map(lambda body: (post(body, b"X-Odd: \t1\r\n"), ("POST", "/predict", body))),
    BODIES.map(lambda body: (chunked(body), ("POST", "/chunks", body))),
    st.just((b"GET /a%20b?c=d HTTP/1.1\r\nhost: a\r\n\r\n", ("GET", "/a b", b""))),
    st.just((b"DELETE /thing HTTP/1.1\r\nhost: a\r\n\r\n", ("DELETE", "/thing", b""))),
    st.just((b"\r\nGET / HTTP/1.1\r\nhost: a\r\n\r\n", ("GET", "/", b""))),
    st.just((b"GET /long HTTP/1.1\r\nx: " + b"y" * 6000 + b"\r\n\r\n", ("GET", "/long", b""))),
)


@given(st.lists(REQUESTS, max_size=8), st.lists(st.integers(0, 200_000), max_size=12))
def test_requests_are_the_same_wherever_the_bytes_are_split(
    requests: list[tuple[bytes, tuple[str, str, bytes]]], cuts: list[int]
) -> None:
    data = b"".join(request for request, _ in requests)
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    parser = RequestParser()
    found = [message for start, end in itertools.pairwise(edges) if start < end for message in parser.feed(data[start:end])]
    assert parser.failure is None
    assert seen(found) == [expected for _, expected in requests]


def test_requests_may_arrive_byte_by_byte() -> None:
    parser = RequestParser()
    data = post(b"one") + post(b"") + post(b"three")
    found = [message for byte in data for message in parser.feed(bytes([byte]))]
    assert [message.body for message in found] == [b"one", b"", b"three"]


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x16\x03\x01 a TLS hello",
        b"POST /predict HTTP/1.1\r\ncontent-length: minus one\r\n\r\n",
        b"POST /predict HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
        b"POST /predict HTTP/1.1\r\ncontent-length: %d\r\n\r\n" % (MAX_BODY_BYTES + 1),
        b"GET / HTTP/1.1\r\nx: " + b"y" * (MAX_HEAD_BYTES + 1) + b"\r\n\r\n",
        b"GET / NONSENSE\r\n\r\n",
    ],
)
def test_requests_before_garbage_are_taken(garbage: bytes) -> None:
    parser = RequestParser()
    assert [message.body for message in parser.feed(post(b"before") + garbage)] == [b"before"]
    assert parser.failure


class Httptools:
    """The requests that httptools alone finds in the bytes of a connection."""

    def __init__(self) -> None:
        self.found: list[tuple[str, bytes, bytes]] = []
        self._url = self._body = b""
        self._parser = httptools.HttpRequestParser(self)

    def feed(self, data: bytes) -> list[tuple[str, bytes, bytes]]:
        with contextlib.suppress(httptools.HttpParserError):
            self._parser.feed_data(data)
        return self.found

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        self.found.append((self._parser.get_method().decode(), self._url, self._body))
        self._url = self._body = b""


WHOLE = st.sampled_from(
    [
        b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST /b?c=1 HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello",
        b"POST /c HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;e=1\r\nde\r\n0\r\nX: y\r\n\r\n",
        b"PUT /d HTTP/1.1\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
    ]
)
DAMAGE = st.sampled_from(
    [b"", b"\r", b"\n", b" ", b":", b"0", b"1", b",", b"\0", b"\r\n", b"Content-Length: 3\r\n", b"chunked"]
)


@given(st.lists(WHOLE, min_size=1, max_size=3), st.lists(st.tuples(st.integers(0, 300), st.integers(0, 3), DAMAGE), max_size=3))
def test_damaged_requests_are_the_same_requests_as_for_httptools(
    wholes: list[bytes], damages: list[tuple[int, int, bytes]]
) -> None:
    """Compares as far as both read, because either may refuse what the other accepts."""
    data = b"".join(wholes)
    for place, gone, put in damages:
        at = place % len(data)
        data = data[:at] + put + data[at + gone :] or b"x"
    ours = [(message.head.method, message.head.target, message.body) for message in RequestParser().feed(data)]
    theirs = Httptools().feed(data)
    both = min(len(ours), len(theirs))
    assert ours[:both] == theirs[:both]


@pytest.mark.parametrize(
    "headers",
    [
        b"Content-Length: 3\r\nTransfer-Encoding: chunked",
        b"Transfer-Encoding: chunked\r\nContent-Length: 3",
        b"Transfer-Encoding: gzip",
        b"Transfer-Encoding: chunked, gzip",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
        b"Connection: upgrade\r\nUpgrade: h2c\r\nTransfer-Encoding: gzip",
        b"Content-Length : 3",
        b"Content-Length: 3, 3",
        b"X: a\r\n folded",
    ],
)
def test_ambiguous_heads_are_refused(headers: bytes) -> None:
    """If two programs on a path see different requests in the same bytes, a client can smuggle one past the first."""
    parser = RequestParser()
    assert parser.feed(b"POST / HTTP/1.1\r\n" + headers + b"\r\n\r\n") == []
    assert parser.failure is not None


@pytest.mark.parametrize(("version", "told"), [(b"1.1", True), (b"1.0", False)])
def test_only_a_client_that_knows_interim_responses_is_told_to_continue(version: bytes, told: bool) -> None:
    """RFC 9110, section 10.1.1: a client of HTTP/1.0 would take `100 Continue` for the response."""
    parser = RequestParser()
    assert parser.feed(b"POST / HTTP/%b\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n" % version) == []
    assert parser.take_continue() is told


@pytest.mark.parametrize(
    ("start", "last"),
    [
        (b"GET / HTTP/1.1", False),
        (b"GET / HTTP/1.1\r\nConnection: close", True),
        (b"GET / HTTP/1.1\r\nConnection: x, Close", True),
        (b"GET / HTTP/1.1\r\nConnection: x\r\nConnection: close", True),
        (b"GET / HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: h2c", False),
        (b"GET / HTTP/1.0", True),
        (b"GET / HTTP/1.0\r\nConnection: keep-alive", True),
        (b"CONNECT a:80 HTTP/1.1", True),
    ],
)
def test_nothing_is_taken_after_a_last_request(start: bytes, last: bool) -> None:
    parser = RequestParser()
    messages = parser.feed(start + b"\r\n\r\n" + post(b"next"))
    assert parser.failure is None
    assert (len(messages), parser.ended) == ((1, True) if last else (2, False))


@pytest.mark.parametrize(
    "body",
    [
        b"-1\r\n",
        b"0x1\r\na\r\n0\r\n\r\n",
        b"1\nab\r\n",
        b"1\r\nab\r\n",
        b"1\r\na\n0\r\n\r\n",
        b"\r\n",
        b"5;" + b"x" * MAX_HEAD_BYTES,
        b"0\r\nx: y\rz: \r\n\r\n",
        b"0\r\nno trailer\r\n\r\n",
    ],
)
def test_a_body_in_bad_chunks_is_refused(body: bytes) -> None:
    parser = RequestParser()
    assert parser.feed(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + body) == []
    assert parser.failure is not None


def test_a_body_above_the_limit_is_refused_before_it_has_come() -> None:
    for body in (b"Content-Length: 11\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n6\r\n123456\r\n5\r\n"):
        parser = RequestParser(max_body_bytes=10)
        assert parser.feed(b"POST / HTTP/1.1\r\n" + body) == []
        assert parser.failure is not None
        assert parser.failure.status == 413


def test_bare_line_feeds_do_not_hide_a_request() -> None:
    """A head that ends earlier for httptools than for our search for an empty line."""
    parser = RequestParser()
    messages = parser.feed(b"POST /a HTTP/1.1\ncontent-length: 0\n\nGET /b HTTP/1.1\r\nhost: a\r\n\r\n")
    assert parser.failure or [message.head.path for message in messages] == ["/a", "/b"]


def test_headers_and_query_are_decoded() -> None:
    line = b"GET /a%20b?x=1&y=%C3%A9&x=2&z= HTTP/1.1\r\n"
    headers = b"HOST: a:1\r\nX-Empty:\r\nX-Odd: \t\xe9 : b\t \r\nx-odd2:1\r\nX-Odd2:2\r\n\r\n"
    (message,) = RequestParser().feed(b"\r\n" + line + headers)
    assert message.head.path == "/a b"
    assert message.head.query == {"x": "2", "y": "é", "z": ""}
    assert message.head.headers == {"host": "a:1", "x-empty": "", "x-odd": "é : b", "x-odd2": "2"}


@pytest.mark.parametrize("value", [b"1", b"300", b"00300", b"99999999"])
def test_a_timeout_is_read_from_the_head(value: bytes) -> None:
    """For requests with a length, and for chunked ones."""
    parser = RequestParser()
    messages = parser.feed(post(b"a", b"Timeout-Ms: " + value + b"\r\n") + post(b"b"))
    messages += parser.feed(b"POST /c HTTP/1.1\r\ntimeout-ms: " + value + b"\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n")
    messages += parser.feed(post(b"d"))
    assert [message.head.timeout_ms for message in messages] == [int(value), None, int(value), None]


@pytest.mark.parametrize("value", [b"", b"0", b"-1", b"+1", b"1.5", b"300ms", b"1 2", b"123456789", b"\xb2"])
def test_an_invalid_timeout_is_refused(value: bytes) -> None:
    parser = RequestParser()
    assert [message.body for message in parser.feed(post(b"before") + post(b"a", b"timeout-ms: " + value + b"\r\n"))] == [
        b"before"
    ]
    assert str(parser.failure) == (
        f"timeout-ms is {value.decode('latin-1')!r}; it must be a whole number of milliseconds, 1 to 99999999"
    )
