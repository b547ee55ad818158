"""Training: data-parallel ranks that continue, bit for bit, when one of them is lost."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from harness.model.errors import UsageError, hint
from harness.model.history import CONTROL
from harness.model.system import Address, Client, Journaled, Node, Trained
from systems.raft import administration
from systems.training import control, exchange, model_names, records
from systems.training.bugs import BUGS
from systems.training.client import StepClient

__all__ = ["BUGS", "Training"]

_COORDINATOR: Final = "coordinator"
_NEEDS: Final = ("torch", "sklearn", "safetensors")
_MOST_RANKS: Final = 12
_DEVICES: Final = ("cpu", "cuda")
_CONTROL_STEPS: Final = 100
"""This many steps of the control are computed before a run; missing ones after it."""


@dataclass(frozen=True, kw_only=True)
class Training:
    """Ranks `rank0`, `rank1`, … that train one model, and coordinators that decide which of them form the group.

    A rank that is killed, frozen or cut off is excluded within a second, the others continue from the step that they hold, and
    the group takes it in again as soon as possible. If gradients are exchanged exactly, the parameters after each step equal
    those of an undisturbed training bit for bit; the files of the other methods say what these promise. Faults choose among
    the ranks; they hit a coordinator only by name, or as "leader".
    """

    ranks: int = 3
    coordinators: int = 1
    """One, called `coordinator`; or an odd number, `coordinator1`, …, of which any majority is enough: see `council`."""
    model: str = "digits"
    """The model to train, such as "digits" or "dense(963)"; see `systems/training/models`."""
    seed: int = 1
    device: str = "cpu"
    """The ranks' device: "cpu", or "cuda", the first GPU for all of them; gloo always exchanges copies on the CPU."""
    exchange: str = "exact"
    """How ranks combine gradients: "allreduce", "one-bit", "top-k(share=0.02)", …; see `systems/training/exchange`."""
    step_ms: float = 25.0
    """The least time from the beginning of a step to that of the next, so that clients can follow; 0: no pause."""
    checkpoint_every: int = 20
    """The number of steps from one checkpoint to the next."""
    checkpoints_kept: int = 2
    audit_every: int = 0
    """Every this many steps another rank computes one shard as well; 0: never, and ranks trust each other's results.

    Unless it is 0, checksums cover everything that ranks exchange and hold; see `systems/training/guard.py`.
    """
    bug: str | None = None
    """The name of a known bug; see `systems/training/bugs.py`."""

    bugs: ClassVar = BUGS
    why_not_simulated: ClassVar = "its ranks exchange gradients over gloo, which has threads and sockets of its own"

    def __post_init__(self) -> None:
        if not 1 <= self.ranks <= _MOST_RANKS:
            raise UsageError(
                f"Training(ranks={self.ranks!r}): 1 to {_MOST_RANKS}, because a batch is split into {_MOST_RANKS} shards."
            )
        if self.coordinators < 1 or self.coordinators % 2 == 0:
            raise UsageError(
                f"Training(coordinators={self.coordinators!r}): an odd number; one more than that stands no more failures."
            )
        if self.device not in _DEVICES:
            raise UsageError(f"Training(device={self.device!r}): there is no such device. {hint(self.device, _DEVICES)}")
        model_names.parsed(self.model)
        method = exchange.method(self.exchange)
        if self.step_ms < 0 or self.checkpoint_every < 1 or self.checkpoints_kept < 1:
            raise UsageError(
                f"Training(step_ms={self.step_ms!r}, checkpoint_every={self.checkpoint_every!r},"
                f" checkpoints_kept={self.checkpoints_kept!r}): at least 0, 1 and 1."
            )
        if self.audit_every < 0:
            raise UsageError(f"Training(audit_every={self.audit_every!r}): at least 0.")
        if self.audit_every and not method.repeatable:
            raise UsageError(
                f"Training(audit_every={self.audit_every}, exchange={self.exchange!r}): an audit compares gradients of shards,"
                " which only exchange='exact' sends. Leave one of the two out."
            )
        BUGS.variant(self.bug)

    def nodes(self) -> Sequence[Node]:
        names, coordinators = tuple(self.entries()), tuple(self._coordinators())
        common = {
            "ranks": names,
            "coordinators": coordinators,
            "checkpoint_every": self.checkpoint_every,
            "checkpoints_kept": self.checkpoints_kept,
            "bug": self.bug,
        }
        deciding = [
            Node(
                name=name,
                code="systems.training.coordinator",
                peers=(*(other for other in coordinators if other != name), *names),
                config={**common, "repeatable": exchange.method(self.exchange).repeatable},
                replica=False,
            )
            for name in coordinators
        ]
        ranks = [
            Node(
                name=name,
                code="systems.training.rank",
                peers=(*coordinators, *names[number + 1 :]),
                config={
                    "number": number,
                    "model": self.model,
                    "seed": self.seed,
                    "device": self.device,
                    "exchange": self.exchange,
                    "step_ms": self.step_ms,
                    "audit_every": self.audit_every,
                    **common,
                },
            )
            for number, name in enumerate(names)
        ]
        return [*deciding, *ranks]

    def entries(self) -> Sequence[str]:
        return [f"rank{number}" for number in range(self.ranks)]

    def client(self, index: int, entries: Mapping[str, Address]) -> Client:
        return StepClient(index, entries)

    async def leader(self, addresses: Mapping[str, Address]) -> str:
        """The coordinator that decides; of several, asked until one of them leads."""
        names = self._coordinators()
        if len(names) == 1:
            return names[0]
        return await administration.leader({name: addresses[name] for name in names if name in addresses})

    async def hand_over(self, name: str, addresses: Mapping[str, Address]) -> str | None:
        names = self._coordinators()
        if len(names) == 1:
            return None if name in names else f"{names[0]} is the only coordinator"
        return await administration.hand_over(name, {one: addresses[one] for one in names if one in addresses})

    def _coordinators(self) -> list[str]:
        if self.coordinators == 1:
            return [_COORDINATOR]
        return [f"{_COORDINATOR}{number}" for number in range(1, self.coordinators + 1)]

    def trained(self, journals: Mapping[str, Journaled]) -> Trained:
        return records.gathered(journals[node.name] for node in self.nodes())

    def steps_done(self, journals: Mapping[str, Journaled]) -> int:
        return max(records.steps_done(journals[node.name]) for node in self.nodes())

    def control(self, steps: int) -> list[dict[str, object]]:
        """The undisturbed training of this model and seed, with exact exchange; it is the same for any number of ranks.

        If a step takes several batches, a row is that many steps of the control, with their samples and their mean loss.
        """
        batches = exchange.method(self.exchange).batches
        made = control.steps(self.model, self.seed, self.device, steps * batches)
        rounds = [range(first, first + batches) for first in range(0, steps * batches, batches)]
        return [
            {
                "node": CONTROL,
                "generation": 0,
                "step": step,
                "loss": sum(made.losses[at] for at in round_) / batches,
                "parameters": made.parameters[round_[-1]],
                "samples": " ".join(made.samples[at] for at in round_),
            }
            for step, round_ in enumerate(rounds)
        ]

    def prepare(self) -> None:
        """Compute the control unless this machine has it already; takes a few seconds."""
        if (lacks := self.missing()) is not None:
            raise UsageError(lacks)
        control.steps(self.model, self.seed, self.device, _CONTROL_STEPS * exchange.method(self.exchange).batches)

    def missing(self) -> str | None:
        lacks = [name for name in _NEEDS if importlib.util.find_spec(name) is None]
        if not lacks:
            return _no_gpu() if self.device == "cuda" else None
        return f"Training needs {', '.join(lacks)}, not installed: pip install 'distributed-ml-harness[training]'"

    def preload(self) -> Sequence[str]:
        model, _ = model_names.parsed(self.model)
        return ["torch", "torch._dynamo", f"systems.training.models.{model}"]  # the optimizer imports the second


def _no_gpu() -> str | None:
    import torch  # the harness itself works without it

    return None if torch.cuda.is_available() else "Training(device='cuda') needs a GPU: torch sees none here. Use device='cpu'."
