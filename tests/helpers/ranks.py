"""Processes of the ranks of a training script, as if they had been observed."""

from __future__ import annotations

from harness.model.rank_process import DoneStep, RankProcess

MS = 1_000_000


def process(
    rank: int,
    pid: int,
    begun_ms: int,
    first: str,
    after: list[str],
    *,
    world: int = 2,
    step_ms: int = 10,
    gone_ms: int | None = None,
) -> RankProcess:
    """A process that begins to train at `begun_ms` with parameters `first`, and has `after[n]` after its n-th step."""
    steps = [
        DoneStep(begun_ns=(begun_ms + n * step_ms) * MS, done_ns=(begun_ms + (n + 1) * step_ms) * MS, parameters=one)
        for n, one in enumerate(after)
    ]
    return RankProcess(
        pid=pid, rank=rank, world=world, backend="gloo", loaded_ns=(begun_ms - 20) * MS, joined_ns=(begun_ms - 10) * MS,
        began_ns=begun_ms * MS, parameters=first, steps=steps, gone_ns=None if gone_ms is None else gone_ms * MS,
    )  # fmt: skip


def models(begin: int, end: int) -> list[str]:
    """The fingerprints after steps `begin` to `end` - 1 of an undisturbed training."""
    return [f"m{n + 1}" for n in range(begin, end)]
