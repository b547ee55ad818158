"""Histories of trainings whose workers update the parameters each on its own, a line for each thing that happened.

joined g1 worker1 0                  # before step 0
left g1 worker1 5
given g1 worker1 batch 3
done g1 step 4 worker1 batch 2 from 3 aa
control g1 step 4 aa 0:1,0:2         # a step that stands, the samples that are due in it
control g1 step 4 aa -               # a step that was rolled back
control g0 step 5 - 0:3,0:4          # the samples of a later batch
"""

from __future__ import annotations

import msgspec

from harness.model.history import CONTROL, History
from harness.model.training_events import BatchGiven, Membership, kind_of

SAMPLES = 2
"""Of a batch: batch n has the samples 2n and 2n + 1."""


def samples_of(batch: int) -> str:
    return " ".join(f"0:{batch * SAMPLES + place}" for place in range(SAMPLES))


def history(transcript: str, *, bound: int | None = 1) -> History:
    """The history that a transcript tells, under a bound."""
    steps: list[dict[str, object]] = []
    events: list[dict[str, object]] = []
    for at, line in enumerate(transcript.splitlines()):
        match line.split("#")[0].split():
            case []:
                pass
            case [("joined" | "left") as kind, term, worker, step]:
                move = Membership(term=int(term[1:]), step=int(step), worker=worker, present=kind == "joined")
                detail = msgspec.json.encode(move).decode()
                events.append({"at_ns": at, "node": "master", "kind": kind_of(move), "detail": detail})
            case ["given", term, worker, _, batch]:
                given = BatchGiven(term=int(term[1:]), worker=worker, batch=int(batch))
                detail = msgspec.json.encode(given).decode()
                events.append({"at_ns": at, "node": "master", "kind": kind_of(given), "detail": detail})
            case ["done", term, _, step, worker, _, batch, _, computed_at, digest]:
                row = {
                    "done_ns": at, "parameters": digest, "samples": samples_of(int(batch)), "batch": int(batch),
                    "worker": worker, "computed_at": int(computed_at), "staleness_bound": bound,
                }  # fmt: skip
                steps.append(_row(at, "master", term, step) | row)
            case ["control", term, _, step, digest, samples]:
                told = {
                    "begun_ns": None,
                    "parameters": None if digest == "-" else digest,
                    "samples": None if samples == "-" else samples.replace(",", " "),
                }
                steps.append(_row(at, CONTROL, term, step) | told)
            case other:
                raise ValueError(f"cannot read {' '.join(other)}")
    return History.of([], events=events, steps=steps)


def _row(at: int, node: str, term: str, step: str) -> dict[str, object]:
    return {"node": node, "generation": int(term[1:]), "step": int(step), "begun_ns": at}
