"""Steps: someone watches a training and keeps asking for the next step that is done."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from harness.model.system import Call


@dataclass(frozen=True, kw_only=True)
class Steps:
    """When will the next step be done? A call's latency is how long that took; the answer names the step and its parameters."""

    def calls(self, random: Random) -> Iterator[Call]:
        while True:
            yield Call(kind="step", key="next")
