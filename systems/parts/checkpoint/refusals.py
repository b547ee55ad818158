"""Why a checkpoint is not used, in one clear line each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """A checkpoint that was found but not used, and why."""

    file: str
    """Its manifest."""
    why: str
    step: int | None = None
    """None if the manifest cannot be read."""

    def __str__(self) -> str:
        return f"{self.file if self.step is None else f'step {self.step} ({self.file})'}: {self.why}"


class CheckpointError(Exception):
    """A checkpoint that cannot be used."""


class Damaged(CheckpointError):
    """A file that differs from what was written: bytes changed, cut off, or missing."""


class OtherJob(CheckpointError):
    """A sound checkpoint of another job: another model, other data, another seed, other shards."""


class StillNeeded(CheckpointError):
    """A checkpoint that must not be overwritten yet: the newest complete one."""


class Overwritten(Damaged):
    """A checkpoint of which a file has made way for a later checkpoint's, as it should once there are newer ones."""


class TooLate(CheckpointError):
    """A checkpoint that must not be completed any more: later ones are in its place."""


class NoneTrusted(CheckpointError):
    """All checkpoints are withdrawn, or have made way for withdrawn ones: the training has to begin anew."""

    def __init__(self, refusals: Sequence[Refusal]) -> None:
        self.refusals = tuple(refusals)
        super().__init__(f"All checkpoints are withdrawn, but for {'; '.join(map(str, self.refusals))}.")


class NoValidCheckpoint(CheckpointError):
    """There are checkpoints, but none is sound. Starting over would throw the training away, so the user must decide."""

    def __init__(self, refusals: Sequence[Refusal]) -> None:
        self.refusals = tuple(refusals)
        told = "; ".join(map(str, self.refusals))
        super().__init__(
            f"None of {len(self.refusals)} checkpoints can be used: {told}. Restore one from a copy, or empty the folder to"
            " start at step 0."
        )


def why_of(error: CheckpointError | OSError) -> str:
    """What an error says, without an operating system's number."""
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
