"""The quick way takes nothing that the parsers would not take, and takes it alike; compiled and in Python it is the same."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.http import plain, requests, responses
from harness.http.requests import RequestParser
from harness.http.responses import ResponseParser

compiled = pytest.importorskip("harness.http._compiled", reason="there was no compiler")

HEADS = [b"A: 1\r\n\r\n", b"B: 22\r\n\r\n", b"\r\n\r\n", b"long" * 511 + b"\r\n\r\n", b"too long" * 300 + b"\r\n\r\n"]
TABLES = st.dictionaries(
    st.sampled_from(HEADS),
    st.tuples(st.sampled_from(["one", "other"]), st.integers(0, 5), st.sampled_from([0, 199, 200, 299, 300])),
)
BYTES = st.lists(st.one_of(st.sampled_from(HEADS), st.binary(max_size=6)), max_size=12).map(b"".join)


@given(BYTES, st.integers(0, 40), TABLES, st.integers(-1, 6), st.booleans())
def test_both_take_the_same(data: bytes, at: int, table: plain.Plain[str], most: int, with_head: bool) -> None:
    found = []
    for take in (compiled.take, plain.take_in_python):
        messages: list[tuple[str, bytes]] = []
        found.append((take(data, at, table, lambda head, content: (head, content), messages, most, with_head), messages))
    assert found[0] == found[1]


@given(BYTES, st.integers(0, 40), TABLES, st.lists(st.integers(0, 2), max_size=5))
def test_both_count_the_same(data: bytes, at: int, table: plain.Plain[str], which: list[int]) -> None:
    expected: list[tuple[bytes, ...]] = [(), (b"A", b"", b"x"), (b"A: 1", b"B")]
    asked = data, at, table, which, expected
    assert compiled.count_right(*asked) == plain.count_right_in_python(*asked)


@given(st.binary(max_size=20), st.lists(st.binary(max_size=1100), max_size=5))
def test_both_frame_the_same(start: bytes, bodies: list[bytes]) -> None:
    assert compiled.framed(start, bodies) == plain.framed_in_python(start, bodies)


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda: compiled.take(b"A: 1\r\n\r\n", -1, {}, tuple, [], 1, False), ValueError),
        (lambda: compiled.take(b"A: 1\r\n\r\n", 0, {b"A: 1\r\n\r\n": None}, tuple, [], 1, False), TypeError),
        (lambda: compiled.take(b"A: 1\r\n\r\n", 0, {b"A: 1\r\n\r\n": ("", "", 0)}, tuple, [], 1, False), TypeError),
        (lambda: compiled.take("text", 0, {}, tuple, [], 1, False), TypeError),
        (lambda: compiled.count_right(b"A: 1\r\n\r\n", 0, {b"A: 1\r\n\r\n": ("", 0, 200)}, [3], [()]), IndexError),
        (lambda: compiled.count_right(b"A: 1\r\n\r\n", 0, {b"A: 1\r\n\r\n": ("", 0, 200)}, [0], [None]), TypeError),
        (lambda: compiled.framed(b"", ["text"]), TypeError),
    ],
)
def test_what_is_not_of_its_type_is_an_error_and_not_a_crash(call: Callable[[], object], error: type[Exception]) -> None:
    with pytest.raises(error):
        call()


def test_a_head_may_be_forgotten_while_its_message_is_made() -> None:
    table: plain.Plain[str] = {b"A: 1\r\n\r\n": ("head " * 3, 1, 200)}

    def make(head: str, content: bytes) -> tuple[str, bytes]:
        table.clear()
        return head, content

    messages: list[tuple[str, bytes]] = []
    assert compiled.take(b"A: 1\r\n\r\nxA: 1\r\n\r\ny", 0, table, make, messages, 2, False) == 9
    assert messages == [("head " * 3, b"x")]


# Both parsers, with the quick way and without, on bytes that are nearly messages.

PIECES = [
    b"POST /p HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\nabc",
    b"POST /p HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\n",
    b"POST /p HTTP/1.1\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\nabc",
    b"POST /p HTTP/1.1\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    b"POST /p HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    b"POST /p HTTP/1.1\r\ncontent-length: +3\r\n\r\nabc",
    b"POST /p HTTP/1.1\ncontent-length: 3\n\nabc",
    b"POST /p HTTP/1.1\r\nexpect: 100-continue\r\ncontent-length: 3\r\n\r\n",
    b"POST /p HTTP/1.1\r\ntimeout-ms: 20\r\ncontent-length: 3\r\n\r\nabc",
    b"GET / HTTP/1.1\r\nconnection: close\r\n\r\n",
    b"GET / HTTP/1.0\r\n\r\n",
    b"HEAD / HTTP/1.1\r\nhost: a\r\n\r\n",
    b"GET /x HTTP/1.1\r\nhost: a\r\nupgrade: h2c\r\nconnection: upgrade\r\n\r\n",
    b"\r\nGET / HTTP/1.1\r\nhost: a\r\n\r\n",
    b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
    b"HTTP/1.1 500 Oh\r\ncontent-length: 0\r\n\r\n",
    b"HTTP/1.1 204 No\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\n",
    b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok",
    b"HTTP/1.1 200 OK\r\n\r\nto the end",
    b"\r\n\r\n",
]


def streams(seed: int) -> Iterator[list[bytes]]:
    """Streams of pieces, some with a byte changed, lost or doubled, cut anywhere."""
    random = Random(seed)
    for _ in range(80):
        chosen = random.choices(PIECES, k=random.randint(1, 6))
        content = bytearray(b"".join(piece * random.choice([1, 1, 1, 4]) for piece in chosen))
        for _ in range(random.choice([0, 0, 1, 2])):
            at = random.randrange(len(content))
            content[at : at + 1] = random.choice([b"", b"\r", b"\n", b"0", b"\0", bytes(content[at : at + 1]) * 2])
        cuts = sorted(random.randrange(len(content) + 1) for _ in range(random.choice([0, 1, 5])))
        yield [bytes(content[start:end]) for start, end in itertools.pairwise([0, *cuts, len(content)])]


def requests_of(pieces: list[bytes]) -> list[object]:
    parser, seen = RequestParser(), list[object]()
    for piece in pieces:
        seen.append([(message.head.text, message.head, message.body) for message in parser.feed(piece)])
        seen.append((parser.ended, str(parser.failure), parser.in_request, parser.take_continue(), parser.bodiless))
    return seen


def responses_of(pieces: list[bytes], *, quickly: bool) -> list[object]:
    parser, seen = ResponseParser(), list[object]()
    for piece in pieces:
        parser.feed(piece)
        taken: list[responses.ReceivedResponse] = []
        try:
            if quickly:
                parser.take_plain(taken, 1 << 30)
            while (response := parser.next()) is not None:
                taken.append(response)
        except ValueError as error:
            return [*seen, taken, str(error)]
        finally:
            seen += [(one.status, one.content, one.body) for one in taken]
        seen.append(parser.unread_bytes)
    return seen


@pytest.fixture
def slowly(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    def switch() -> None:
        monkeypatch.setattr(requests, "take", lambda data, at, *_: at)

    return switch


@pytest.mark.parametrize("seed", range(6))
def test_requests_are_read_alike_with_and_without(seed: int, slowly: Callable[[], None]) -> None:
    quick = [requests_of(pieces) for pieces in streams(seed)]
    slowly()
    assert [requests_of(pieces) for pieces in streams(seed)] == quick


@pytest.mark.parametrize("seed", range(6))
def test_responses_are_read_alike_with_and_without(seed: int) -> None:
    for pieces in streams(seed):
        assert responses_of(pieces, quickly=True) == responses_of(pieces, quickly=False)


ANSWERS = [b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nno"]


@settings(deadline=None)
@given(st.lists(st.sampled_from([*ANSWERS, *PIECES[14:16]]), max_size=6), st.integers(0, 300))
def test_right_responses_are_counted_and_the_rest_is_left(pieces: list[bytes], cut: int) -> None:
    data = b"".join(pieces)
    parser, read = ResponseParser(), ResponseParser()
    read.feed(b"".join(PIECES[14:16]))  # heads are known once they were read
    while read.next() is not None:
        pass
    right = len(list(itertools.takewhile(lambda piece: piece == ANSWERS[0], pieces)))
    left: list[Any] = []
    counted = 0
    for part in (data[:cut], data[cut:]):
        parser.feed(part)
        if not left:
            counted += parser.take_right([0] * (len(pieces) - counted), [(b"ok",)])
        while (response := parser.next()) is not None:
            left.append(response.content)
    assert counted + len(left) == len(pieces)
    assert counted <= right
    assert [*pieces[:counted], *left] == pieces
