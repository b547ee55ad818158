"""Events of trainings as runs of version 2 and before have them: sentences, such as "generation 3: step 40 of term 2".

Those that checkers read become what `harness.model.training_events` says. The others stay sentences.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

import msgspec
import pandas as pd

from harness.model.training_events import (
    CheckpointRefused,
    Named,
    NotSaved,
    Resumed,
    Saved,
    TakenBack,
    TrainingEvent,
    kind_of,
)

_SENTENCE: Final = re.compile(r"generation (\d+): (.*)", re.DOTALL)
_Made = Callable[[int, re.Match[str]], TrainingEvent]


def _number(text: str | None) -> int | None:
    return None if text is None else int(text)


_READ: Final[dict[str, tuple[re.Pattern[str], _Made]]] = {
    "resumed": (
        re.compile(r"step (\d+)(?:, the first| of term (\d+))?"),
        lambda generation, found: Resumed(generation=generation, step=int(found[1]), of_generation=_number(found[2])),
    ),
    "saved": (re.compile(r"step (\d+)"), lambda generation, found: Saved(generation=generation, step=int(found[1]))),
    "not saved": (
        re.compile(r"step (\d+): (.*)", re.DOTALL),
        lambda generation, found: NotSaved(generation=generation, step=int(found[1]), why=found[2]),
    ),
    "refused": (
        re.compile(r"(?:step (\d+) \((\S+\.json)\)|(\S+\.json)): (.*)", re.DOTALL),
        lambda generation, found: CheckpointRefused(
            generation=generation, step=_number(found[1]), file=found[2] or found[3], why=found[4]
        ),
    ),
    "taken back": (
        re.compile(r"to step (\d+); checkpoints withdrawn: (?:none|([\d ]+))"),
        lambda generation, found: TakenBack(
            generation=generation, step=int(found[1]), withdrawn=tuple(map(int, (found[2] or "").split()))
        ),
    ),
    "named": (
        re.compile(r"(\S+) (.*), told by (.*)", re.DOTALL),
        lambda generation, found: Named(generation=generation, rank=found[1], why=found[2], by=tuple(found[3].split())),
    ),
}


def typed(events: pd.DataFrame) -> pd.DataFrame:
    """The rows of a history's `events`, sentences of trainings read; those of other forms are as they were."""
    rows = events["kind"].isin(list(_READ)) & events["detail"].astype("string").str.startswith("generation ").fillna(False)
    if not rows.any():
        return events
    read = [_read(kind, detail) for kind, detail in zip(events["kind"][rows], events["detail"][rows], strict=True)]
    events = events.copy()
    events.loc[rows, "kind"] = [kind for kind, _ in read]
    events.loc[rows, "detail"] = [detail for _, detail in read]
    return events


def _read(kind: str, detail: str) -> tuple[str, str]:
    pattern, made = _READ[kind]
    sentence = _SENTENCE.fullmatch(detail)
    found = None if sentence is None else pattern.fullmatch(sentence[2])
    if sentence is None or found is None:
        return kind, detail
    event = made(int(sentence[1]), found)
    return kind_of(event), msgspec.json.encode(event).decode()
