"""The part of a proxy's traffic that a toxic acts on. Every kind of toxic takes these attributes in addition to its own."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from faults.plane.kind import Chunk


class Scope(msgspec.Struct, frozen=True, omit_defaults=True):
    """The toxic acts on the first `first_connections` that it meets, and on each of them from `from_byte` and `from_ms`,
    whichever comes later, until `to_byte` or `to_ms`, whichever comes first. 0 means no limit.

    Bytes and milliseconds are counted from the moment when the connection and the toxic meet, which is the start of a new
    connection. When the toxic stops acting on a connection, the effect is that of removing it from that connection.
    """

    first_connections: int = 0
    from_byte: int = 0
    to_byte: int = 0
    from_ms: int = 0
    to_ms: int = 0

    @property
    def is_stretch(self) -> bool:
        """Whether it covers only a part of each connection."""
        return bool(self.from_byte or self.to_byte or self.from_ms or self.to_ms)

    def reaches(self, ordinal: int) -> bool:
        """Whether it includes the toxic's n-th connection, counted from 1."""
        return not self.first_connections or ordinal <= self.first_connections

    def has_begun(self, position: int, age_ns: int) -> bool:
        return position >= self.from_byte and age_ns >= self.from_ms * 1_000_000

    def is_over(self, position: int, age_ns: int = 0) -> bool:
        return bool((self.to_byte and position >= self.to_byte) or (self.to_ms and age_ns >= self.to_ms * 1_000_000))

    def parts(self, chunk: Chunk, position: int) -> Iterator[Chunk]:
        """The chunk at this position of the stream, cut at the borders of the scope."""
        begin = 0
        for cut in (self.from_byte - position, self.to_byte - position, len(chunk.data)):
            if begin < cut <= len(chunk.data):
                yield Chunk(chunk.data[begin:cut], chunk.at_ns)
                begin = cut

    def fault(self, *, connects: bool) -> str | None:
        """What is wrong with it; None if it is valid. `connects` says whether the toxic acts in the connect phase."""
        for name in self.__struct_fields__:
            if getattr(self, name) < 0:
                return f"{name} is {getattr(self, name)}, and must be 0 (no limit) or more"
        for unit in ("byte", "ms"):
            begin, end = getattr(self, f"from_{unit}"), getattr(self, f"to_{unit}")
            if end and end <= begin:
                return f"to_{unit} is {end}, and must be above from_{unit}, which is {begin}"
        if connects and self.is_stretch:
            return "a toxic that acts when a connection is made takes only first_connections, no limits of bytes or time"
        return None
