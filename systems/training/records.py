"""The records by which a node of a training is judged: a line of JSON in its journal for each event.

Times are of the monotonic clock.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Final, cast

import msgspec

from harness.model.system import Journaled, Trained
from harness.model.training_events import CheckpointRefused, TrainingEvent, kind_of
from harness.node.context import NodeContext
from harness.node.journal import Journal
from systems.parts.checkpoint.refusals import Refusal
from systems.parts.sampler import Use

_END_BYTES: Final = 1 << 16
"""A few hundred records: more than a node writes between two steps."""


class Begun(msgspec.Struct, frozen=True, kw_only=True, tag="begun", omit_defaults=True):
    """A rank has begun a step, to which it is about to contribute these samples."""

    node: str
    generation: int
    step: int
    at_ns: int
    uses: list[tuple[int, int]]
    """(epoch, sample) of each."""
    batch: int | None = None
    """The batch of the data, if steps do not take batches in order."""


class Done(msgspec.Struct, frozen=True, kw_only=True, tag="done", omit_defaults=True):
    """A rank has done a step: it has applied the sum of all contributions."""

    node: str
    generation: int
    step: int
    begun_ns: int
    at_ns: int
    collective_ns: int
    """How long the exchange of contributions took."""
    stalled_ns: int
    """How long the copy for a checkpoint stalled the rank after that."""
    loss: float | None
    """None stands for a number that is not finite, which JSON does not have."""
    gradient_norm: float | None
    parameters: str
    """A digest of the parameters after the step."""
    worker: str | None = None
    """The worker that computed the gradient, if it was a single one …"""
    computed_at: int | None = None
    """… and the number of steps in the parameters that it used."""
    staleness_bound: int | None = None
    """The number of clocks that the worker may be ahead of the slowest."""


class Happened(msgspec.Struct, frozen=True, kw_only=True, tag="happened", omit_defaults=True):
    """Another event at a node."""

    node: str
    at_ns: int
    kind: str
    detail: msgspec.Raw
    """An event of `harness.model.training_events`."""


Record = Begun | Done | Happened


class Records:
    """The records of one node, appended to those of its earlier starts."""

    def __init__(self, journal: Journal, node: str, now_ns: Callable[[], int] = time.monotonic_ns) -> None:
        self._journal = journal
        self._node = node
        self._now_ns = now_ns

    @classmethod
    def of(cls, node: NodeContext) -> Records:
        """The records of this node."""
        return cls(node.journal(), node.name, node.monotonic_ns)

    def begun(self, generation: int, step: int, uses: Sequence[Use], at_ns: int | None = None, batch: int | None = None) -> int:
        """A step has begun, now or at an earlier time; returns that time."""
        at_ns = self._now_ns() if at_ns is None else at_ns
        used = [(use.epoch, use.sample) for use in uses]
        self._write(Begun(node=self._node, generation=generation, step=step, at_ns=at_ns, uses=used, batch=batch))
        return at_ns

    def done(self, done: Done) -> None:
        """A step is done."""
        self._write(done)

    def event(self, event: TrainingEvent) -> None:
        """Another event has happened now."""
        detail = msgspec.Raw(msgspec.json.encode(event))
        self._write(Happened(node=self._node, at_ns=self._now_ns(), kind=kind_of(event), detail=detail))

    def refusals(self, generation: int, refused: Iterable[Refusal]) -> None:
        """Checkpoints were found now and refused."""
        for one in refused:
            self.event(CheckpointRefused(generation=generation, step=one.step, file=one.file, why=one.why))

    def _write(self, record: Record) -> None:
        self._journal.append(msgspec.json.encode(record) + b"\n")


def read(journal: Journaled) -> list[Record]:
    """All records of a node, in order, without a last line that a full disk cut off."""
    lines = journal.read_at(0, size).split(b"\n")[:-1] if (size := journal.size()) else []
    decode = msgspec.json.Decoder(Record).decode
    return [decode(line) for line in lines]


def steps_done(journal: Journaled) -> int:
    """The number of steps that a node has done, from the end of its records alone."""
    if not (size := journal.size()):
        return 0
    lines = journal.read_at(max(0, size - _END_BYTES), _END_BYTES).split(b"\n")[1 if size > _END_BYTES else 0 : -1]
    decode = msgspec.json.Decoder(Record).decode
    for line in reversed(lines):
        record = decode(line)
        if isinstance(record, Done):
            return record.step + 1
    return 0


def rows(journal: Journaled) -> Trained:
    """A node's records as rows of the history's frames.

    A step that it has done and does again has a row for each time. One that it begins again before it has done it has one row,
    with the time when it first began it.
    """
    begun: dict[tuple[int, int], dict[str, object]] = {}
    earlier: list[dict[str, object]] = []
    """Rows of steps that were done, and then begun or done once more in the same generation, which should never happen."""
    events: list[dict[str, object]] = []
    for record in read(journal):
        if not isinstance(record, Happened) and "done_ns" in (row := begun.get((record.generation, record.step), {})):
            earlier.append(row)
            begun[record.generation, record.step] = dict(row)
        match record:
            case Begun():
                again = begun.get((record.generation, record.step), {})
                begun[record.generation, record.step] = {
                    "node": record.node,
                    "generation": record.generation,
                    "step": record.step,
                    "begun_ns": record.at_ns if "done_ns" in again else again.get("begun_ns", record.at_ns),
                    "samples": samples_text(record.uses),
                    "batch": record.batch,
                }
            case Done():
                begun[record.generation, record.step] |= {
                    "done_ns": record.at_ns,
                    "collective_ns": record.collective_ns,
                    "stalled_ns": record.stalled_ns,
                    "loss": record.loss,
                    "gradient_norm": record.gradient_norm,
                    "parameters": record.parameters,
                    "worker": record.worker,
                    "computed_at": record.computed_at,
                    "staleness_bound": record.staleness_bound,
                }
            case Happened():
                detail = bytes(record.detail).decode()
                events.append({"at_ns": record.at_ns, "node": record.node, "kind": record.kind, "detail": detail})
    return Trained(steps=[*earlier, *begun.values()], events=events)


def gathered(journals: Iterable[Journaled]) -> Trained:
    """The records of several nodes, steps in the order in which they began."""
    found = [rows(journal) for journal in journals]
    steps = [row for each in found for row in each.steps]
    steps.sort(key=lambda row: cast(int, row["begun_ns"]))
    return Trained(steps=steps, events=[row for each in found for row in each.events])


def samples_text(uses: Iterable[tuple[int, int]]) -> str:
    """(epoch, sample) pairs in the format of a history."""
    return " ".join(f"{epoch}:{sample}" for epoch, sample in uses)
