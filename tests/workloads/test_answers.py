"""Answers are cut out of what was received, wherever the network cut it."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workloads.load.engine.answers import Cutter

bodies = st.binary(max_size=60)


@st.composite
def answers(draw: st.DrawFn) -> tuple[bytes, int, bytes]:
    """An answer as it comes, its status and its body."""
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
def test_answers_are_cut_out_wherever_the_network_cut_them(
    sent: list[tuple[bytes, int, bytes]], cuts: list[int], tail: bytes | None
) -> None:
    whole = b"".join(content for content, _, _ in sent)
    expected = [(status, body) for _, status, body in sent]
    if tail is not None:  # one without a length, which ends with the connection
        whole += b"HTTP/1.1 200 OK\r\n\r\n" + tail
        expected.append((200, tail))
    places = sorted({0, len(whole), *(cut % (len(whole) + 1) for cut in cuts)})
    cutter, received, found = Cutter(), b"", []
    for one, other in itertools.pairwise(places):
        received += whole[one:other]
        while received and (answer := cutter.cut(received, 0, ended=other == len(whole))) is not None:
            found.append((answer.status, answer.body))
            received = received[answer.end :]
    assert found == expected
    assert not received


@given(answers())
def test_nothing_is_cut_out_before_it_is_there(sent: tuple[bytes, int, bytes]) -> None:
    content, status, body = sent
    assert all(Cutter().cut(content[:end], 0) is None for end in range(len(content)))
    assert Cutter().cut(content + b"HTTP", 0) == (status, body, len(content), False)


def test_the_answer_to_head_has_no_body() -> None:
    content = b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n"
    assert Cutter().cut(content, 0, bodiless=True) == (200, b"", len(content), False)
    assert Cutter().cut(b"HTTP/1.1 200 OK\r\n\r\n", 0, bodiless=True) == (200, b"", 19, False)


@pytest.mark.parametrize(
    ("headers", "last"),
    [
        (b"HTTP/1.1 200 OK\r\nConnection: close", True),
        (b"HTTP/1.0 200 OK", True),
        (b"HTTP/1.0 200 OK\r\nConnection: keep-alive", False),
        (b"HTTP/1.1 200 OK", False),
    ],
)
def test_which_answer_ends_the_connection(headers: bytes, last: bool) -> None:
    answer = Cutter().cut(headers + b"\r\nContent-Length: 0\r\n\r\n", 0)
    assert answer is not None
    assert answer.last is last


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
def test_what_is_no_answer_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"an? |its |invalid"):
        Cutter().cut(content, 0)
