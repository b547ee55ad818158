"""Responses come out the same however the network splits their bytes."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.http.framing import Malformed
from harness.http.responses import ReceivedResponse, ResponseParser

bodies = st.binary(max_size=60)


@st.composite
def answers(draw: st.DrawFn) -> tuple[bytes, int, bytes]:
    """A response as bytes, its status and its body."""
    before = draw(st.sampled_from([b"", b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 Early\r\nLink: x\r\n\r\n"]))
    status, body = draw(st.sampled_from([200, 201, 404, 503])), draw(bodies)
    first = before + b"HTTP/1.1 %d Word\r\nServer: x\r\n" % status
    kind = draw(st.sampled_from(["length", "chunked", "nothing"]))
    if kind == "nothing":
        return before + b"HTTP/1.1 204 None\r\n\r\n", 204, b""
    if kind == "length":
        return first + b"content-LENGTH: %d\r\n\r\n" % len(body) + body, status, body
    places = sorted({0, len(body), *draw(st.lists(st.integers(0, len(body)), max_size=3))})
    parts = [body[one:other] for one, other in itertools.pairwise(places)]
    chunks = b"".join(b"%X;ext=1\r\n%b\r\n" % (len(part), part) for part in parts)
    trailers = draw(st.sampled_from([b"", b"X-Sum: 1\r\n"]))
    return first + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n" + trailers + b"\r\n", status, body


@given(
    sent=st.lists(answers(), min_size=1, max_size=5), cuts=st.lists(st.integers(0, 2000), max_size=12), tail=st.none() | bodies
)
def test_responses_are_the_same_wherever_the_bytes_are_split(
    sent: list[tuple[bytes, int, bytes]], cuts: list[int], tail: bytes | None
) -> None:
    whole = b"".join(content for content, _, _ in sent)
    expected = [(status, body) for _, status, body in sent]
    if tail is not None:  # one without a length, which ends with the connection
        whole += b"HTTP/1.1 200 OK\r\n\r\n" + tail
        expected.append((200, tail))
    places = sorted({0, len(whole), *(cut % (len(whole) + 1) for cut in cuts)})
    parser, found = ResponseParser(), []
    for one, other in itertools.pairwise(places):
        parser.feed(whole[one:other])
        while (response := parser.next()) is not None:
            found.append((response.status, response.body))
    if (response := parser.end()) is not None:
        found.append((response.status, response.body))
    assert found == expected
    assert parser.unread_bytes == 0


def first(content: bytes, *, bodiless: bool = False) -> ReceivedResponse | None:
    parser = ResponseParser()
    parser.feed(content)
    return parser.next(bodiless=bodiless)


def outcome(content: bytes, *, bodiless: bool = False) -> tuple[int, bytes, bool, int]:
    """Status and body of the first response, whether the connection goes on after it, and how many bytes came after it."""
    parser = ResponseParser()
    parser.feed(content)
    response = parser.next(bodiless=bodiless)
    assert response is not None
    return response.status, response.body, response.head.keep_alive, parser.unread_bytes


@given(answers())
def test_a_response_is_returned_only_when_it_is_complete(sent: tuple[bytes, int, bytes]) -> None:
    content, status, body = sent
    assert all(first(content[:end]) is None for end in range(len(content)))
    assert outcome(content + b"HTTP") == (status, body, True, 4)


def test_the_response_to_head_has_no_body() -> None:
    content = b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n"
    assert outcome(content, bodiless=True) == (200, b"", True, 0)
    assert outcome(b"HTTP/1.1 200 OK\r\n\r\n", bodiless=True) == (200, b"", True, 0)


@pytest.mark.parametrize(
    ("headers", "last"),
    [
        (b"HTTP/1.1 200 OK\r\nConnection: close", True),
        (b"HTTP/1.0 200 OK", True),
        (b"HTTP/1.0 200 OK\r\nConnection: keep-alive", False),
        (b"HTTP/1.1 200 OK", False),
    ],
)
def test_which_response_ends_the_connection(headers: bytes, last: bool) -> None:
    answer = first(headers + b"\r\nContent-Length: 0\r\n\r\n")
    assert answer is not None
    assert answer.head.keep_alive is not last


@pytest.mark.parametrize(
    "content",
    [
        b"SSH-2.0-OpenSSH\r\n\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70_000,
    ],
)
def test_bytes_that_are_no_response_are_refused(content: bytes) -> None:
    with pytest.raises(Malformed):
        first(content)


def test_a_head_that_came_in_two_pieces_leaves_nothing_behind_for_the_next_one() -> None:
    parser = ResponseParser()
    for status, first in ((b"200 OK", 26), (b"503 Service Unavailable", 40)):
        whole = b"HTTP/1.1 %s\r\ncontent-length: 4\r\n\r\nbody" % status
        parser.feed(whole[:first])
        assert parser.next() is None
        parser.feed(whole[first:])
        response = parser.next()
        assert response is not None
        assert response.body == b"body"
