"""Features of entities by id: read and written one at a time, read several at once, and read by ranges."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import count
from random import Random
from typing import Final

import msgspec

from harness.model.errors import UsageError
from harness.model.system import Call
from workloads.registers import FINAL_READS

MANY: Final = 5
"""How many entities a multi-get asks for."""
SPAN: Final = 8
"""How many ids a scan covers."""


@dataclass(frozen=True, kw_only=True)
class Entities:
    """Writes, deletes, multi-gets and scans have these shares of all calls; the rest are reads. No value is written twice.

    Ids are `e000`, `e001`, …, so that neighbours are next to each other in ranges. `hot` is the share of calls that go to the
    first id, on top of its even share; `low` the share of calls that go to the first tenth of all ids.
    """

    entities: int = 40
    writes: float = 0.4
    deletes: float = 0.0
    multi_gets: float = 0.0
    scans: float = 0.0
    hot: float = 0.0
    low: float = 0.0

    def __post_init__(self) -> None:
        if not 1 <= self.entities <= 1000:
            raise UsageError(f"Entities(entities={self.entities!r}): must be a whole number from 1 to 1000.")
        for kinds in (("writes", "deletes", "multi_gets", "scans"), ("hot", "low")):
            shares = [getattr(self, kind) for kind in kinds]
            if not (min(shares) >= 0 and sum(shares) <= 1):
                told = ", ".join(f"{kind}={share!r}" for kind, share in zip(kinds, shares, strict=True))
                raise UsageError(f"Entities({told}): must be shares of calls, together at most 1.")

    def calls(self, random: Random) -> Iterator[Call]:
        kinds = ("write", "delete", "multi_get", "scan", "read")
        shares = (self.writes, self.deletes, self.multi_gets, self.scans)
        weights = (*shares, 1 - sum(shares))
        for number in count(1):
            [kind] = random.choices(kinds, weights)
            key = _id(self._drawn(random))
            match kind:
                case "write":
                    yield Call("write", key, str(number))
                case "multi_get":
                    keys = sorted({key, *(_id(self._drawn(random)) for _ in range(MANY - 1))})
                    yield Call("multi_get", msgspec.json.encode(keys).decode())
                case "scan":
                    low = random.randrange(self.entities)
                    yield Call("scan", msgspec.json.encode([_id(low), _id(low + SPAN)]).decode())
                case _:
                    yield Call(kind, key)

    def varied(self, random: Random) -> Entities:
        """Fewer entities: more happens to each."""
        return replace(self, entities=random.choice((min(2, self.entities), min(8, self.entities), self.entities)))

    def final_calls(self) -> Iterable[Call]:
        return [Call("read", _id(number)) for number in range(self.entities) for _ in range(FINAL_READS)]

    def _drawn(self, random: Random) -> int:
        drawn = random.random()
        if drawn < self.hot:
            return 0
        return random.randrange(max(1, self.entities // 10) if drawn < self.hot + self.low else self.entities)


def _id(number: int) -> str:
    return f"e{number:03}"
