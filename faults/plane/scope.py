"""The part of a proxy's traffic that a toxic acts on. Toxics of every kind take these attributes beside their own."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from faults.plane.kind import Chunk


class Scope(msgspec.Struct, frozen=True, omit_defaults=True):
    """Bytes and milliseconds count from when a connection and the toxic meet: for a new connection, from its beginning.

    A toxic acts on the first `first_connections` that it meets, and on each of them from `from_byte` and `from_ms` until
    `to_byte` or `to_ms`, whichever comes first. 0 sets no limit. Once it stops on a connection, what follows passes as if
    the toxic had been removed.
    """

    first_connections: int = 0
    from_byte: int = 0
    to_byte: int = 0
    from_ms: int = 0
    to_ms: int = 0

    @property
    def is_stretch(self) -> bool:
        """Whether it is a part of each connection rather than all of it."""
        return bool(self.from_byte or self.to_byte or self.from_ms or self.to_ms)

    def reaches(self, ordinal: int) -> bool:
        """Whether it includes the connection that is the toxic's first, second, …: counted from 1."""
        return not self.first_connections or ordinal <= self.first_connections

    def has_begun(self, position: int, age_ns: int) -> bool:
        return position >= self.from_byte and age_ns >= self.from_ms * 1_000_000

    def is_over(self, position: int, age_ns: int = 0) -> bool:
        return bool((self.to_byte and position >= self.to_byte) or (self.to_ms and age_ns >= self.to_ms * 1_000_000))

    def parts(self, chunk: Chunk, position: int) -> Iterator[Chunk]:
        """The chunk at that position of the stream, cut where its bytes begin to be in the scope and where they cease to be."""
        begin = 0
        for cut in (self.from_byte - position, self.to_byte - position, len(chunk.data)):
            if begin < cut <= len(chunk.data):
                yield Chunk(chunk.data[begin:cut], chunk.at_ns)
                begin = cut

    def fault(self, *, connects: bool) -> str | None:
        """What is wrong with it, for a toxic that acts on connecting or one that acts on streams; None if nothing is."""
        for name in self.__struct_fields__:
            if getattr(self, name) < 0:
                return f"{name} is {getattr(self, name)}, and must be 0 (no limit) or more"
        for unit in ("byte", "ms"):
            begin, end = getattr(self, f"from_{unit}"), getattr(self, f"to_{unit}")
            if end and end <= begin:
                return f"to_{unit} is {end}, and must be above from_{unit}, which is {begin}"
        if connects and self.is_stretch:
            return "a toxic that acts when a connection is made takes first_connections only, no stretch of its bytes or time"
        return None
