"""Latencies in fixed memory: log-linear counts that merge exactly and travel in HdrHistogram's own encoding.

The layout is HdrHistogram's with three significant digits (Tene, hdrhistogram.org): every power of two above 2,047 is cut
into 1,024 equal slots, so a slot is at most 1/1,024 of its values wide; below that, each value has a slot of its own. The
encoding is its V2 (HdrHistogram, "V2 encoding": counts as ZigZag LEB128, runs of zeros as one negative number), compressed by
zlib, in base64. Other tools that speak HdrHistogram read it.
"""

from __future__ import annotations

import base64
import binascii
import math
import struct
import zlib
from typing import ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from harness.model.errors import UsageError
from results.analysis.sample_sizes import samples_needed

_HALF_BITS: Final = 10
_HALF: Final = 1 << _HALF_BITS
"""Slots for each power of two."""
_DIGITS: Final = 3
_ENCODED: Final = 0x1C849313
_COMPRESSED: Final = 0x1C849314
_OUTER: Final = struct.Struct(">II")
"""Cookie, length of the compressed payload."""
_INNER: Final = struct.Struct(">IIIIQQd")
"""Cookie, length of the counts, offset, significant digits, lowest and highest value, factor to integers."""
_MOST_BYTES: Final = 4 << 20
"""More than any of our encodings takes; a longer one is refused before it fills the memory."""


class Histogram:
    """Counts of values in nanoseconds, each known to within 0.1%, from 0 to one hour; larger ones count as one hour."""

    HIGHEST_NS: ClassVar[int] = 3_600_000_000_000
    SIZE: ClassVar[int] = (HIGHEST_NS.bit_length() - _HALF_BITS + 1) * _HALF

    def __init__(self, counts: NDArray[np.int64] | None = None) -> None:
        """An empty histogram, or one that updates an array of `SIZE` counts in place (in shared memory, for example)."""
        self.counts: NDArray[np.int64] = np.zeros(self.SIZE, np.int64) if counts is None else counts
        if self.counts.shape != (self.SIZE,):
            raise ValueError(f"a histogram has {self.SIZE} counts; this array's shape is {self.counts.shape}")

    def record(self, values_ns: NDArray[np.int64], times: NDArray[np.int64] | int = 1) -> None:
        """Count every value of an array `times` times; `times` may be an array with one number for each value."""
        np.add.at(self.counts, _slots(np.clip(values_ns, 0, self.HIGHEST_NS)), times)

    def merge(self, other: Histogram) -> None:
        """Add another histogram's counts, as if its values had been recorded here."""
        self.counts += other.counts

    def since(self, earlier: Histogram) -> Histogram:
        """What was recorded since `earlier`, a copy of this histogram, was made."""
        return Histogram(self.counts - earlier.counts)

    def copy(self) -> Histogram:
        return Histogram(self.counts.copy())

    @property
    def count(self) -> int:
        return int(self.counts.sum())

    @property
    def min_ns(self) -> float | None:
        """The lower bound of the smallest recorded value; None if the histogram is empty."""
        found = np.flatnonzero(self.counts)
        return float(_LOWEST_NS[found[0]]) if len(found) else None

    @property
    def max_ns(self) -> float | None:
        """The upper bound of the largest recorded value; None if the histogram is empty."""
        found = np.flatnonzero(self.counts)
        return float(_GREATEST_NS[found[-1]]) if len(found) else None

    @property
    def mean_ns(self) -> float | None:
        """Each value counts as the middle of its slot."""
        count = self.count
        return float(self.counts @ ((_LOWEST_NS + _GREATEST_NS) / 2)) / count if count else None

    def percentile_ns(self, percentile: float, beyond: int = 0) -> float | None:
        """The nearest-rank percentile, rounded up to the end of its slot (by at most 0.1%); None if nothing was recorded.

        `beyond` counts further values that are greater than all recorded ones; None if the percentile is among them.
        """
        cumulative = np.cumsum(self.counts)
        count = int(cumulative[-1])
        rank = max(1, math.ceil(round(percentile * (count + beyond) / 100, 6)))
        return float(_GREATEST_NS[np.searchsorted(cumulative, rank)]) if rank <= count else None

    def enough_for(self, percentile: float) -> bool:
        """Whether there are enough samples for a claim about a percentile (`results.analysis.sample_sizes`)."""
        return self.count >= samples_needed(percentile)

    def above(self, value_ns: float) -> int:
        """How many values lie above `value_ns`, not counting those in its own slot."""
        slot = _slots(np.array([min(max(value_ns, 0), self.HIGHEST_NS)]).astype(np.int64))[0]
        return int(self.counts[slot + 1 :].sum())

    @staticmethod
    def greatest_ns(slots: NDArray[np.int64]) -> NDArray[np.int64]:
        """The largest value that falls into each of these slots."""
        found: NDArray[np.int64] = _GREATEST_NS[slots]
        return found

    def encode(self) -> str:
        """HdrHistogram V2, compressed, in base64."""
        counts = _encoded(self.counts)
        payload = _INNER.pack(_ENCODED, len(counts), 0, _DIGITS, 1, self.HIGHEST_NS, 1.0) + counts
        compressed = zlib.compress(payload)
        return base64.b64encode(_OUTER.pack(_COMPRESSED, len(compressed)) + compressed).decode()

    @classmethod
    def decode(cls, text: str) -> Histogram:
        """Read what `encode` wrote, or any HdrHistogram of three digits from 1 ns up to an hour. Raises `UsageError`."""
        try:
            return cls(_decoded(text, cls.SIZE))
        except (binascii.Error, struct.error, zlib.error, ValueError, IndexError) as error:
            raise UsageError(f"This is no compressed HdrHistogram V2 that can be read here: {error}.") from error


def _slots(values: NDArray[np.int64]) -> NDArray[np.int64]:
    """The slot of each value. An hour is far below the numbers that a float64 would round to another power of two."""
    bits = np.frexp(values.astype(np.float64))[1].astype(np.int64)
    shift = np.maximum(bits - _HALF_BITS - 1, 0)
    slots: NDArray[np.int64] = shift * _HALF + (values >> shift)
    return slots


def _lowest() -> NDArray[np.int64]:
    slots = np.arange(Histogram.SIZE, dtype=np.int64)
    shift = np.maximum(slots // _HALF - 1, 0)
    lowest: NDArray[np.int64] = (slots - shift * _HALF) << shift
    return lowest


_LOWEST_NS: Final = _lowest()
_GREATEST_NS: Final = np.append(_LOWEST_NS[1:] - 1, (1 << Histogram.HIGHEST_NS.bit_length()) - 1)


def _encoded(counts: NDArray[np.int64]) -> bytes:
    out, last = bytearray(), -1
    for slot in np.flatnonzero(counts).tolist():
        if zeros := slot - last - 1:
            _put(out, 0 if zeros == 1 else -zeros)
        _put(out, int(counts[slot]))
        last = slot
    return bytes(out)


def _put(out: bytearray, number: int) -> None:
    """ZigZag (the sign in the lowest bit), then seven bits a byte, lowest first; a ninth byte holds eight."""
    left = (number << 1) ^ (number >> 63)
    for _ in range(8):
        if left < 0x80:
            break
        out.append(left & 0x7F | 0x80)
        left >>= 7
    out.append(left)


def _decoded(text: str, size: int) -> NDArray[np.int64]:
    whole = base64.b64decode(text, validate=True)
    cookie, length = _OUTER.unpack_from(whole)
    if cookie & ~0xF0 != _COMPRESSED & ~0xF0 or length != len(whole) - _OUTER.size:
        raise ValueError(f"its first bytes are {whole[: _OUTER.size].hex()}, of {len(whole)}")
    payload = zlib.decompressobj().decompress(whole[_OUTER.size :], _MOST_BYTES)
    cookie, length, offset, digits, lowest, _, factor = _INNER.unpack_from(payload)
    if cookie & ~0xF0 != _ENCODED & ~0xF0 or length != len(payload) - _INNER.size:
        raise ValueError(f"its payload begins with {payload[:8].hex()}, and is {len(payload)} bytes long")
    if (offset, digits, factor) != (0, _DIGITS, 1.0) or lowest not in (0, 1):
        raise ValueError(f"it has {digits} digits from {lowest}, offset {offset}, factor {factor:g}; expected 3 from 1, 0, 1")
    counts = np.zeros(size, np.int64)
    at, slot = _INNER.size, 0
    while at < len(payload):
        number, at = _get(payload, at)
        if number > 0:
            counts[slot] = number
        slot += 1 if number >= 0 else -number
    return counts


def _get(payload: bytes, at: int) -> tuple[int, int]:
    number = 0
    for place in range(9):
        byte = payload[at + place]
        if place == 8 or byte < 0x80:
            number |= byte << 7 * place
            break
        number |= (byte & 0x7F) << 7 * place
    return (number >> 1) ^ -(number & 1), at + place + 1
