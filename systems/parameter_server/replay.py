"""The control of the modes without rounds: one process repeats the updates that a master recorded, in their order.

The order of gradients depends on the speed of each worker, so no two runs have the same parameters. But an update is a function
of its batch and of the parameters it was computed with, and both are recorded. So all parameters can be computed again from the
record; if a run's parameters differ, something was applied that the record does not contain, or not in the way that it says.

    python -m harness.launch systems.parameter_server.replay MODEL SEED < ASKED > DONE
"""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import zip_longest

import msgspec

from harness import roots
from harness.model.errors import HarnessError
from harness.model.history import CONTROL, History
from harness.model.training_events import Resumed, told


class Recorded(msgspec.Struct, frozen=True):
    """The update `step` of a term: its batch, and the number of updates in the parameters it was computed with."""

    step: int
    batch: int
    computed_at: int


class Lineage(msgspec.Struct, frozen=True, kw_only=True):
    """A term: the term and the step from which it began, and its own updates."""

    term: int
    parent: int = 0
    begins: int = 0
    updates: list[Recorded] = []


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """The terms to replay, each after its parent, and the number of batches whose samples are wanted."""

    terms: list[Lineage]
    batches: int
    parts: int
    """The number of batches that make one batch of the model."""


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """The parameters' digests after each update of each term, up to an impossible one, and the samples of each batch."""

    parameters: dict[int, list[str]]
    samples: list[str]


def lineages(history: History) -> list[Lineage]:
    """The terms that have updates, in order, with what they began from, and their updates up to the first gap."""
    steps = history.steps
    updates = steps[(steps["computed_at"].notna() & steps["done_ns"].notna()).to_numpy(dtype=bool)].sort_values("step")
    parents = {
        event.generation: (event.of_generation, event.step)
        for _, _, event in told(history, Resumed)
        if event.of_generation is not None
    }
    terms = []
    for term in sorted(set(updates["generation"].tolist())):
        rows = updates[updates["generation"] == term]
        parent, begins = parents.get(term, (0, 0))
        recorded = [Recorded(*map(int, row)) for row in rows[["step", "batch", "computed_at"]].itertuples(index=False)]
        whole = [update for place, update in enumerate(recorded) if update.step == begins + place]
        terms.append(Lineage(term=term, parent=parent, begins=begins, updates=whole))
    return terms


def standing(terms: Sequence[Lineage]) -> dict[int, int]:
    """The term of each step that stands, because no later term began from before it."""
    by_term = {lineage.term: lineage for lineage in terms}
    found: dict[int, int] = {}
    lineage = terms[-1] if terms else None
    while lineage is not None:
        until = min(found, default=math.inf)
        found |= {update.step: lineage.term for update in lineage.updates if update.step < until}
        lineage = by_term.get(lineage.parent)
    return found


def control(
    history: History, model: str, seed: int, parts: int, undisturbed: Callable[[int], Sequence[float]]
) -> list[dict[str, object]]:
    """The rows of the control. Raises `HarnessError` if the record cannot be replayed.

    `undisturbed` gives the losses of a number of batches of the synchronous training, each with the samples of `parts` updates;
    steps that stand are compared with them.
    """
    terms = lineages(history)
    stands = standing(terms)
    batches = 1 + max([*stands, *history.steps["batch"].dropna().astype(int)], default=-1)
    done = _run(Asked(terms=terms, batches=batches, parts=parts), model, seed)
    return rows(terms, done, undisturbed(max(stands, default=-1) // parts + 1), parts)


def rows(terms: Sequence[Lineage], done: Done, losses: Sequence[float], parts: int) -> list[dict[str, object]]:
    """The rows of the control, from the result of the replay and the losses of the synchronous training's batches."""
    stands = standing(terms)
    found: list[dict[str, object]] = []
    for lineage in terms:
        for update, parameters in zip_longest(lineage.updates, done.parameters[lineage.term]):
            kept = stands.get(update.step) == lineage.term
            samples, loss = (done.samples[update.step], losses[update.step // parts]) if kept else (None, None)
            found.append(_row(lineage.term, update.step, parameters, samples, loss))
    found += [_row(0, step, None, samples) for step, samples in enumerate(done.samples) if step not in stands]
    return found


def _row(
    generation: int, step: int, parameters: str | None, samples: str | None, loss: float | None = None
) -> dict[str, object]:
    return {
        "node": CONTROL, "generation": generation, "step": step, "parameters": parameters, "samples": samples, "loss": loss,
    }  # fmt: skip


def _run(asked: Asked, model: str, seed: int) -> Done:
    """Replay in this process if it has PyTorch, as one that simulates nodes has; loading it takes longer than most replays."""
    if "torch" in sys.modules:
        try:
            return replayed(asked, model, seed)
        except Exception as error:
            raise HarnessError(f"Cannot replay the updates of the training: {type(error).__name__}: {error}") from error
    made = subprocess.run(
        [*roots.program(__name__), model, str(seed)],
        env=roots.environment(), input=msgspec.json.encode(asked), capture_output=True, check=False,
    )  # fmt: skip
    if made.returncode != 0:
        last = (made.stderr.decode(errors="replace").strip().splitlines() or ["(no output)"])[-1]
        raise HarnessError(f"Cannot replay the updates of the training: {last}")
    return msgspec.json.decode(made.stdout, type=Done)


def replayed(asked: Asked, model: str, seed: int) -> Done:
    """Repeat all updates of all terms. Needs PyTorch."""
    import torch  # the harness itself works without it

    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as on the nodes
    try:
        return _replayed(asked, model, seed)
    finally:
        torch.set_num_threads(threads)


def _replayed(asked: Asked, model: str, seed: int) -> Done:
    import torch

    from systems.parameter_server.parameters import at_batch, parameters_of, take_parameters, whole
    from systems.parameter_server.weighing import apply_update, update_trainer, weight
    from systems.training.records import samples_text
    from systems.training.trainer import Trainer

    worker = Trainer(model, seed, parts=asked.parts)
    shards = range(worker.order.shards)
    rows = torch.empty(len(shards), worker.row)
    branches: dict[tuple[int, int], bytes] = {}
    digests: dict[int, list[str]] = {}
    wanted = {(lineage.parent, lineage.begins) for lineage in asked.terms}
    for lineage in asked.terms:
        master = update_trainer(Trainer, model, seed, asked.parts)
        if lineage.begins:
            master.decode(branches[lineage.parent, lineage.begins])
        last = _last_uses(lineage.updates)
        held = {master.step: parameters_of(master)}
        if (lineage.term, master.step) in wanted:
            branches[lineage.term, master.step] = master.encode()
        found = digests.setdefault(lineage.term, [])
        for update in lineage.updates:
            if update.computed_at not in held:
                break  # the record is wrong: these parameters did not exist yet, or are from before the term
            take_parameters(worker, held[update.computed_at], at_batch(update.batch))
            worker.contribute(shards, rows)
            behind = update.step - update.computed_at
            apply_update(master, whole(rows, worker.row), worker.uses(shards), weight(behind, asked.parts))
            found.append(master.parameters_digest())
            if master.step in last:
                held[master.step] = parameters_of(master)
            held = {step: kept for step, kept in held.items() if last.get(step, -1) > update.step}
            if (lineage.term, master.step) in wanted:
                branches[lineage.term, master.step] = master.encode()
    samples = [
        samples_text((use.epoch, use.sample) for shard in shards for use in worker.order.uses(batch, shard))
        for batch in range(asked.batches)
    ]
    return Done(parameters=digests, samples=samples)


def _last_uses(updates: Iterable[Recorded]) -> Mapping[int, int]:
    """For each step whose parameters were used for gradients: the last update that used them."""
    return {update.computed_at: update.step for update in updates}


def main(model: str, seed: int) -> None:
    """Replay what stdin asks for."""
    asked = msgspec.json.decode(sys.stdin.buffer.read(), type=Asked)
    sys.stdout.buffer.write(msgspec.json.encode(replayed(asked, model, seed)))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
