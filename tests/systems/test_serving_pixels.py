"""Requests in the usual form are read without the JSON decoder, with the same result; others use it."""

from __future__ import annotations

import json
import struct
from random import Random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from systems.serving.messages import BRIGHTEST, PIXELS
from systems.serving.pixels import row_of
from tests.helpers.effort import cases

compiled = pytest.importorskip("systems.serving._compiled", reason="there was no compiler")

PIXEL = st.one_of(
    st.integers(0, 17),
    st.floats(0, 17),
    st.decimals(0, 16, places=3).map(float),
    st.sampled_from([0.0, 16.0, 16.000000001, 15.99999999999999, 1e-7, 1e-320, 0.1, 0.30000000000000004]),
)


def unpacked(row: bytes) -> tuple[float, ...]:
    return struct.unpack(f"{PIXELS}d", row)


def test_whole_pixels_are_read_quickly() -> None:
    numbers = [float(number % 17) for number in range(PIXELS)]
    whole = b'{"pixels":[%b]}' % b",".join(b"%d" % number for number in numbers)
    for body in (msgspec.json.encode({"pixels": numbers}), json.dumps({"pixels": numbers}).encode(), whole):
        row = compiled.usual(body)
        assert row is not None
        assert unpacked(row) == tuple(numbers)


@settings(max_examples=cases(30), deadline=None)
@given(st.lists(PIXEL, min_size=PIXELS - 1, max_size=PIXELS + 1), st.booleans())
def test_quickly_read_numbers_are_those_of_the_decoder(numbers: list[float], spaced: bool) -> None:
    body = json.dumps({"pixels": numbers}, separators=None if spaced else (",", ":")).encode()
    row = compiled.usual(body)
    if row is not None:
        assert row == row_of(body)
        assert all(0 <= number <= BRIGHTEST for number in unpacked(row))


@pytest.mark.parametrize("seed", range(4))
def test_a_body_that_the_decoder_refuses_is_left_to_it(seed: int) -> None:
    random = Random(seed)
    refused = read = 0
    for _ in range(3000):
        numbers = [random.choice(["0", "1.0", "16", "12.25", "16.0", "3.125"]) for _ in range(PIXELS)]
        body = bytearray(f'{{"pixels":[{",".join(numbers)}]}}'.encode())
        for _ in range(random.randint(0, 2)):
            at = random.randrange(len(body))
            body[at : at + 1] = random.choice([b"", b"0", b"9", b".", b"-", b"e", b",", b" ", b"\n", b"[", b"]", b"}", b"\0"])
        row = compiled.usual(bytes(body))
        if row is not None:
            read += 1
            assert row == row_of(bytes(body))  # which raises if it is no request
        else:
            refused += 1
    assert refused > 300
    assert read > 300
