"""How users reach the nearest region, and another one if it is gone, as if they looked up its name again."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from harness.http.message import TransportError
from harness.model.system import Address, Answer, Call, CallFailed
from systems.serving.client import PredictClient

PATIENCE_S: Final = 0.9
"""The next region is asked after this long without an answer, which is longer than an edge needs to ask two regions."""

_FIRST_AWAY: Final = 10
_LONGEST_AWAY: Final = 80


class RegionClient:
    """Asks its home region. If that does not answer, it asks the next one, and stays with it for some calls before trying home,
    unless no other region answers.

    Each failed try doubles for how many calls it stays away. A prediction has no effect, so it is safe to ask for it twice.
    """

    def __init__(self, folder: Path, home: int, entries: Sequence[tuple[str, Address]]) -> None:
        first = home % len(entries)
        ordered = [*entries[first:], *entries[:first]]
        self._edges = [PredictClient(folder, address) for _, address in ordered]
        self._away = 0
        """How many of the next calls go elsewhere at once."""
        self._stay = _FIRST_AWAY

    async def invoke(self, call: Call) -> Answer:
        order = list(enumerate(self._edges))
        if self._away:
            self._away -= 1
            order = [*order[1:], order[0]]  # home may be back, and the others gone
        why: Exception | None = None
        for place, edge in order:
            try:
                async with asyncio.timeout(PATIENCE_S):
                    answer = await edge.invoke(call)
            except (TransportError, TimeoutError) as error:
                why = error
            except CallFailed as error:
                if not isinstance(error.__cause__, TransportError):
                    raise  # a refusal, which is an answer
                why = error
            else:
                if place == 0:
                    self._away, self._stay = 0, _FIRST_AWAY
                return answer
            if place == 0:
                self._away, self._stay = self._stay, min(2 * self._stay, _LONGEST_AWAY)
        raise CallFailed(f"no region answered: {why}") from why

    async def close(self) -> None:
        for edge in self._edges:
            await edge.close()
