"""Histories of trainings, a line a step that a rank has begun.

    rank0 g1 step 0 aa 0:1,0:2   at 0.5
    rank1 g1 step 0 aa 0:3       at 0.5
    rank1 g1 step 1 -  0:4       at 0.6     # begun and never done
    control step 0 aa 0:1,0:2,0:3

The digest is that of the parameters after the step; times are seconds.
"""

from __future__ import annotations

from harness.model.history import CONTROL, History

NS_PER_S = 1_000_000_000


def history(transcript: str, *windows: tuple[float, float | None], ends_s: float = 10.0) -> History:
    """The history that a transcript tells. `windows` are when faults were injected and healed; the load ends at `ends_s`."""
    lines = [line.split("#")[0].split() for line in transcript.splitlines()]
    last: dict[str, object] = {
        "client": 1, "kind": "step", "key": "next", "outcome": "ok",
        "sent_ns": int(ends_s * NS_PER_S), "done_ns": int(ends_s * NS_PER_S),
    }  # fmt: skip
    return History.of([last], windows=[_window(*window) for window in windows], steps=[_row(words) for words in lines if words])


def _row(words: list[str]) -> dict[str, object]:
    if words[0] == CONTROL:
        words = [CONTROL, "g0", *words[1:]]
    node, generation, _, step, digest, samples, *at = words
    at_ns = int(float(at[1]) * NS_PER_S) if at else None
    return {
        "node": node,
        "generation": int(generation[1:]),
        "step": int(step),
        "begun_ns": at_ns,
        "done_ns": None if digest == "-" else at_ns,
        "parameters": None if digest == "-" else digest,
        "samples": samples.replace(",", " "),
    }


def _window(injected_s: float, healed_s: float | None) -> dict[str, object]:
    return {
        "label": "w0", "fault": "Kill", "selector": "one", "targets": "rank1", "from_s": injected_s, "to_s": healed_s or 99.0,
        "injected_ns": int(injected_s * NS_PER_S), "healed_ns": None if healed_s is None else int(healed_s * NS_PER_S),
    }  # fmt: skip
