"""The events that a training reports, as rows of the history's `events`: `kind`, and `detail` as JSON.

| kind | when it is reported | `detail`, beside `"generation": 3` |
| --- | --- | --- |
| `decided` | the coordinator ends a group: why, and because of which ranks | `{"about": ["rank1"], "why": "does not answer"}` |
| `left` | a rank has left its group on request | `{"why": "the coordinator asked for it"}` |
| `lost` | a rank's group has failed with an error | `{"why": "Connection closed by peer"}` |
| `formed` | the coordinator has formed a group | `{"members": ["rank0", "rank1"], "unanswered": []}` |
| `alone` | there is no group: no rank answered, or none of the last group, which may still train | `{"outside": ["rank2"]}` |
| `took over` | one of several coordinators begins to decide, as the leader of this term | `{"term": 4}` |
| `restored` | a rank has received its state from another one | `{"step": 120, "source": "rank0", "size_bytes": 10240}` |
| `resumed` | a rank or a master goes on from a checkpoint, or from step 0 | `{"step": 100, "of_generation": 2}` |
| `step settled` | a rank has done a step that an earlier group had agreed on | `{"step": 120, "of_generation": 2}` |
| `saved` | a checkpoint is complete | `{"step": 100}` |
| `not saved` | a checkpoint could not be made | `{"step": 100, "why": "No space left on device"}` |
| `checkpoint refused` | a checkpoint was found but is not used | `{"step": 100, "file": "every10-1.json", "why": "…"}` |
| `taken back` | checkpoints later than this one are withdrawn | `{"step": 100, "withdrawn": [110, 120]}` |
| `not withdrawn` | the disk has not taken the list of them yet | `{"step": 100, "why": "Input/output error"}` |
| `accused` | a rank has found others to be wrong | `{"ranks": ["rank1"], "why": "…"}` |
| `named` | all other ranks have accused a rank | `{"rank": "rank1", "by": ["rank0"], "why": "…"}` |
| `undecided` | members disagree, and it is unknown who is right | `{"why": "…"}` |
| `gradients changed` | these ranks did not receive what was sent; it is sent again | `{"step": 120, "ranks": ["rank2"]}` |
| `suspected` | a shard's gradient may be wrong but was accepted | `{"step": 120, "shard": 3}` |
| `work refused` | a worker or a master was sent something out of date | `{"step": 120, "sender": "worker1", "why": "…"}` |
| `stepped down` | a master has heard of a later term | `{"term": 4}` |
| `membership` | a master has added or removed a worker | `{"term": 2, "step": 9, "worker": "worker1", "present": true}` |
| `batch given` | a master has given a worker a batch of its own | `{"term": 2, "worker": "worker1", "batch": 12}` |

`step` is the number of steps done by then; for work and gradients, their step. It is null for a checkpoint whose manifest
cannot be read. A generation is a group of ranks, or a master's term; `membership` and `batch given` have only `term`. That of
`saved` made the checkpoint; that of `taken back` and `not withdrawn` is the last one whose checkpoints are withdrawn.
`of_generation` is the generation that made the checkpoint, if each generation has its own.
"""

from __future__ import annotations

from typing import Final, TypeVar

import msgspec

from harness.model import node_events
from harness.model.history import History
from harness.model.node_events import Told


class _Event(msgspec.Struct, frozen=True, kw_only=True):
    generation: int


class Decided(_Event, frozen=True, kw_only=True):
    about: tuple[str, ...]
    why: str


class Left(_Event, frozen=True, kw_only=True):
    why: str


class Lost(_Event, frozen=True, kw_only=True):
    why: str


class Formed(_Event, frozen=True, kw_only=True):
    members: tuple[str, ...]
    unanswered: tuple[str, ...] = ()


class Alone(_Event, frozen=True, kw_only=True, omit_defaults=True):
    outside: tuple[str, ...] = ()


class TookOver(_Event, frozen=True, kw_only=True):
    term: int


class Restored(_Event, frozen=True, kw_only=True):
    step: int
    source: str
    size_bytes: int


class Resumed(_Event, frozen=True, kw_only=True, omit_defaults=True):
    step: int
    of_generation: int | None = None


class StepSettled(_Event, frozen=True, kw_only=True):
    step: int
    of_generation: int


class Saved(_Event, frozen=True, kw_only=True):
    step: int


class NotSaved(_Event, frozen=True, kw_only=True):
    step: int
    why: str


class CheckpointRefused(_Event, frozen=True, kw_only=True):
    step: int | None
    file: str
    why: str


class TakenBack(_Event, frozen=True, kw_only=True):
    step: int
    withdrawn: tuple[int, ...]


class NotWithdrawn(_Event, frozen=True, kw_only=True):
    step: int
    why: str


class Accused(_Event, frozen=True, kw_only=True):
    ranks: tuple[str, ...]
    why: str


class Named(_Event, frozen=True, kw_only=True):
    rank: str
    by: tuple[str, ...]
    why: str


class Undecided(_Event, frozen=True, kw_only=True):
    why: str


class GradientsChanged(_Event, frozen=True, kw_only=True):
    step: int
    ranks: tuple[str, ...]


class Suspected(_Event, frozen=True, kw_only=True):
    step: int
    shard: int


class WorkRefused(_Event, frozen=True, kw_only=True):
    step: int
    sender: str
    why: str


class SteppedDown(_Event, frozen=True, kw_only=True):
    term: int


class Membership(msgspec.Struct, frozen=True, kw_only=True):
    term: int
    step: int
    worker: str
    present: bool


class BatchGiven(msgspec.Struct, frozen=True, kw_only=True):
    term: int
    worker: str
    batch: int


TrainingEvent = (
    Decided | Left | Lost | Formed | Alone | TookOver | Restored | Resumed | StepSettled | Saved | NotSaved | CheckpointRefused
    | TakenBack | NotWithdrawn | Accused | Named | Undecided | GradientsChanged | Suspected | WorkRefused | SteppedDown
    | Membership | BatchGiven
)  # fmt: skip

KINDS: Final[dict[str, type[TrainingEvent]]] = {
    "decided": Decided,
    "left": Left,
    "lost": Lost,
    "formed": Formed,
    "alone": Alone,
    "took over": TookOver,
    "restored": Restored,
    "resumed": Resumed,
    "step settled": StepSettled,
    "saved": Saved,
    "not saved": NotSaved,
    "checkpoint refused": CheckpointRefused,
    "taken back": TakenBack,
    "not withdrawn": NotWithdrawn,
    "accused": Accused,
    "named": Named,
    "undecided": Undecided,
    "gradients changed": GradientsChanged,
    "suspected": Suspected,
    "work refused": WorkRefused,
    "stepped down": SteppedDown,
    "membership": Membership,
    "batch given": BatchGiven,
}

_NAMES: Final[dict[type[object], str]] = {kind: name for name, kind in KINDS.items()}

T = TypeVar("T", bound="TrainingEvent")


def kind_of(event: TrainingEvent) -> str:
    """The kind that an event has in a history."""
    return _NAMES[type(event)]


def told(history: History, *kinds: type[T]) -> list[Told[T]]:
    """The events of these kinds in the order of time. Raises `BrokenEvent` naming the first that is malformed."""
    return node_events.told(history, {_NAMES[kind]: kind for kind in kinds})


def emitted(history: History, kind: type[TrainingEvent]) -> int:
    """How many events of this kind there are."""
    return int((history.events["kind"] == _NAMES[kind]).fillna(False).sum())


def sentence(event: TrainingEvent) -> str:
    """What an event says, for people."""
    if isinstance(event, Membership | BatchGiven):
        return f"{_words(event)} (term {event.term})"
    return f"{_words(event)} (generation {event.generation})"


def _words(event: TrainingEvent) -> str:
    match event:
        case Decided(about=about, why=why):
            return " ".join([*about, why])
        case Left(why=why) | Lost(why=why) | Undecided(why=why):
            return why
        case Formed(members=members, unanswered=unanswered):
            return " ".join(members) + (f", not answered by {' '.join(unanswered)}" if unanswered else "")
        case Alone(outside=()):
            return "no rank answers"
        case Alone(outside=outside):
            return f"{' '.join(outside)}: no other rank answers, and the last group may still train"
        case TookOver(term=term):
            return f"decides in term {term}"
        case Restored(step=step, source=source, size_bytes=size_bytes):
            return f"step {step} from {source}, {size_bytes:,} bytes"
        case Resumed(step=0):
            return "step 0, the first"
        case Resumed(step=step, of_generation=None) | Saved(step=step):
            return f"step {step}"
        case Resumed(step=step, of_generation=other) | StepSettled(step=step, of_generation=other):
            return f"step {step} of generation {other}"
        case NotSaved(step=step, why=why):
            return f"step {step}: {why}"
        case CheckpointRefused(step=step, file=file, why=why):
            return f"{file if step is None else f'step {step} ({file})'}: {why}"
        case TakenBack(step=step, withdrawn=withdrawn):
            return f"to step {step}; checkpoints withdrawn: {' '.join(map(str, withdrawn)) or 'none'}"
        case NotWithdrawn(step=step, why=why):
            return f"checkpoints after step {step}: {why}"
        case Accused(ranks=ranks, why=why):
            return f"{' '.join(ranks)}: {why}"
        case Named(rank=rank, by=by, why=why):
            return f"{rank} {why}, told by {' '.join(by)}"
        case GradientsChanged(step=step, ranks=ranks):
            return f"step {step}: gradients came changed to {' '.join(ranks)}, sent again"
        case Suspected(step=step, shard=shard):
            return f"shard {shard} of step {step} may be wrong"
        case WorkRefused(step=step, sender=sender, why=why):
            return f"from {sender}, of step {step}: {why}"
        case SteppedDown(term=term):
            return f"term {term} has begun"
        case Membership(worker=worker, step=step, present=present):
            return f"{worker} {'taken in' if present else 'left out'} at step {step}"
        case BatchGiven(worker=worker, batch=batch):
            return f"batch {batch} to {worker}"
