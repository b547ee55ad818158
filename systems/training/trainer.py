"""The arithmetic of training, without communication: gradients of virtual shards, their ordered sum, a step, the state.

Bits do not depend on which rank computes what. A shard is always computed alone, never merged with another (a batch of another
size gives different bits); its randomness is keyed by (seed, step, shard); and the shards' gradients are added in the order of
the shards. All-reduce does not promise that: with three or more ranks, gloo's sums depend on a number's place in the buffer.

This is the method `exact` (`systems/training/exchange`). With the other methods, a step applies the mean that the ranks agreed
on, and the state contains, besides model and optimizer, what the method carries over.

With a GPU, gradients are computed on it, with torch's deterministic algorithms, and added on the CPU in the same order, so the
bits depend only on the kind of GPU.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec
import numpy as np
import torch
from safetensors.torch import load, save

from systems.parts.checkpoint.manifest import Identity
from systems.parts.checkpoint.store import PRIVATE, Checkpoint, Tensors, digest_of
from systems.parts.sampler import Ledger, LedgerState, Order, Use, key
from systems.training.exchange import Array, Combined, Given, Layout, Method, State
from systems.training.exchange.exact import Method as Exact
from systems.training.models import Task, task

_BEFORE: Final = 2**32
"""Takes the place of the shard in the key of the initial weights, which are drawn before any step."""

Computed = Callable[[str, Sequence[memoryview]], None]
"""Called with what was computed, or is kept, and its memory; see `NodeContext.computed`."""

MODEL, _OPTIMIZER, SHARED = "model/", "optimizer/", "exchange/"
_LENGTH_BYTES: Final = 8


@dataclass(frozen=True, kw_only=True)
class Applied:
    """The result of a step: the mean loss of its samples, and the length of its gradient."""

    loss: float
    gradient_norm: float


class Trainer:
    """The model, optimizer and data order of a job, which every rank holds."""

    def __init__(self, model: str, seed: int, device: str = "cpu", method: Method | None = None, *, parts: int = 1) -> None:
        """A job at step 0 that computes on "cpu" or "cuda", and combines gradients by `method`, or `exact`.

        A step takes one of `parts` equal parts of the model's batch: a part of its samples, in a part of its shards.
        Raises `UsageError` if there is no such model.
        """
        self.method: Method = method or Exact()
        self.state = State()
        self._device = torch.device(device)
        if self._device.type == "cuda":
            os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS is deterministic only with this
            torch.use_deterministic_algorithms(True)
        self.task: Task = task(model)
        self.task.to(self._device)
        batch, shards = self.task.batch * self.method.batches // parts, self.task.shards // parts
        self.order = Order(samples=self.task.samples, batch=batch, shards=shards, seed=seed)
        self.ledger = Ledger()
        torch.default_generator.manual_seed(key(seed, 0, _BEFORE))
        self._model = self.task.model().to(self._device)
        self.optimizer = self.task.optimizer(self._model)
        self._parameters = dict(self._model.named_parameters())
        self.model_tensors: Sequence[torch.Tensor] = tuple(self._model.state_dict().values())
        """The model's own tensors, not copies: they stay the same ones, whatever values they take."""
        self.row = sum(parameter.numel() for parameter in self._parameters.values()) + 1
        """The count of numbers that a shard contributes: its gradient and, last, its loss."""
        self._computed: Computed | None = None
        self._wanted: Callable[[], bool] = lambda: False
        self._listens = False

    @property
    def step(self) -> int:
        """The next step, which is the number of completed ones."""
        return self.ledger.next_step

    def identity(self) -> Identity:
        shapes = [(name, str(parameter.dtype), tuple(parameter.shape)) for name, parameter in self._parameters.items()]
        return Identity(
            model=hashlib.sha256(repr([*shapes, self.optimizer]).encode()).hexdigest()[:16],
            data=self.task.data(),
            seed=self.order.seed,
            shards=self.order.shards,
            batch=self.order.batch,
        )

    def uses(self, shards: Sequence[int]) -> list[Use]:
        """The samples that shards of the next step use."""
        return [use for shard in shards for use in self.order.uses(self.step, shard)]

    def key(self, shard: int, place: int) -> int:
        """The seed of a shard's randomness in the next step, independent of its place among the shards of a rank."""
        return key(self.order.seed, self.step, shard)

    def contribute(self, shards: Sequence[int], into: torch.Tensor, *, before_each: Callable[[], None] = lambda: None) -> None:
        """Compute shards of the next step: `into[i]` becomes the sum of gradient and loss over the i-th shard's samples.

        Calls `before_each` before each shard, which may raise to stop.
        """
        parameters = list(self._parameters.values())
        if self._wanted() and not self._listens:
            self._listen()
        for place, (row, shard) in enumerate(zip(into, shards, strict=False)):
            before_each()
            self._seed(self.key(shard, place))
            loss = self.task.loss(self._model, [use.sample for use in self.order.uses(self.step, shard)])
            gradients = torch.autograd.grad(loss, parameters)
            row.copy_(torch.cat([*(gradient.reshape(-1) for gradient in gradients), loss.detach().reshape(1)]))
            self._tell("gradient", [row])

    def tell(self, computed: Computed, wanted: Callable[[], bool]) -> None:
        """Report each gradient and each layer's output as soon as it is computed, and what is kept (`keeps`), to `computed`.

        It does so only while `wanted` returns true, because this takes a tenth of a step's time.
        """
        self._computed, self._wanted = computed, wanted

    def _listen(self) -> None:
        """Make layers report their outputs."""
        self._listens = True
        for module in self._model.modules():
            if not any(module.children()):
                module.register_forward_hook(lambda _, __, output: self._tell("activation", [output]))

    def keeps(self) -> None:
        """Report the parameters and the optimizer's state, which stay in memory from one step to the next."""
        if self._wanted():
            self._tell("parameters", list(self._parameters.values()))
            states = [state for parameter in self._parameters.values() for state in self.optimizer.state[parameter].values()]
            self._tell("optimizer", [state for state in states if isinstance(state, torch.Tensor)])

    def copied(self, tensors: Tensors) -> None:
        """Report a copy of tensors that is about to be written to a checkpoint."""
        self._tell("checkpoint", list(tensors.values()))

    def _tell(self, name: str, tensors: Sequence[torch.Tensor]) -> None:
        if self._computed is not None and self._wanted():
            there = [one.detach() for one in tensors if one.device.type == "cpu" and one.is_contiguous()]
            self._computed(name, [one.reshape(-1).numpy().data.cast("B") for one in there])

    def _seed(self, key: int) -> None:
        generator = torch.default_generator if self._device.type == "cpu" else torch.cuda.default_generators[0]
        generator.manual_seed(key)

    def given(self, rows: Array, rank: int, dealt: tuple[range, ...]) -> Given:
        """The contribution to the next step of this rank, which is the member at place `rank`."""
        shapes = tuple(tuple(parameter.shape) for parameter in self._parameters.values())
        layout = Layout(shapes=shapes, seed=self.order.seed)
        return Given(rows=rows, rank=rank, dealt=dealt, layout=layout, state=self.state)

    def apply(self, rows: Sequence[torch.Tensor], uses: Sequence[Use] | None = None) -> Applied:
        """Do the next step with the contributions of all its shards, in the order of the shards, and record it in the ledger.

        `uses` are the samples of the contributions, if they are not the step's own batch.
        """
        total = torch.zeros(self.row)
        for row in rows:
            total += row
        return self.do(Combined(total=total.numpy(), state=self.state), uses)

    def do(self, combined: Combined, uses: Sequence[Use] | None = None) -> Applied:
        """Do the next step with the combined contributions of all members, and record it in the ledger."""
        mean = torch.from_numpy(combined.total) / self.order.batch
        self._update(mean[:-1])
        self.state = combined.state
        self.ledger.commit(self.step, self.uses(range(self.order.shards)) if uses is None else uses)
        return Applied(loss=float(mean[-1]), gradient_norm=float(mean[:-1].norm()))

    def _update(self, gradient: torch.Tensor) -> None:
        """Change the parameters by the mean gradient."""
        for parameter, part in zip(self._parameters.values(), self._parts(gradient), strict=True):
            parameter.grad = part.to(self._device)
        self.optimizer.step()

    def _parts(self, numbers: torch.Tensor) -> list[torch.Tensor]:
        """A row of numbers in the shapes of the parameters."""
        parts = torch.split(numbers, [parameter.numel() for parameter in self._parameters.values()])
        return [part.view_as(parameter) for part, parameter in zip(parts, self._parameters.values(), strict=True)]

    def quality(self) -> tuple[str, float]:
        """The quality of the model now; see `Task.quality`."""
        return self.task.quality(self._model)

    # ----------------------------------------------------------------------------------------------------------- state

    def encode(self) -> bytes:
        """The whole state, for another rank's `decode`."""
        progress = bytes(self.progress())
        return len(progress).to_bytes(_LENGTH_BYTES, "big") + progress + save(self.tensors())

    def decode(self, data: bytes) -> None:
        """Take over the state from another rank's `encode`."""
        begins = _LENGTH_BYTES + int.from_bytes(data[:_LENGTH_BYTES], "big")
        self.restore(load(data[begins:]), msgspec.Raw(data[_LENGTH_BYTES:begins]))

    def parameters_digest(self) -> str:
        """A digest of the parameters' bits, in 16 hexadecimal digits."""
        return digest_of(self._parameters)

    def digest(self) -> str:
        """A digest of everything that the next step depends on, in 16 hexadecimal digits."""
        return hashlib.sha256(f"{digest_of(self.tensors())} {self.ledger.state}".encode()).hexdigest()[:16]

    def tensors(self) -> dict[str, torch.Tensor]:
        """The tensors that are the same at every rank: of the model, the optimizer and the method, by name, on the CPU.

        If the job computes on the CPU they are its own, not copies.
        """
        return self._model_tensors() | self._optimizer_tensors() | _torch(SHARED, self.state.shared)

    def private_tensors(self, rank: str) -> dict[str, torch.Tensor]:
        """The tensors of this rank alone, under names that no other rank uses."""
        return _torch(f"{PRIVATE}{rank}/", self.state.private)

    def _model_tensors(self) -> dict[str, torch.Tensor]:
        return {MODEL + name: tensor.cpu() for name, tensor in self._model.state_dict().items()}

    def _optimizer_tensors(self) -> dict[str, torch.Tensor]:
        return {
            f"{_OPTIMIZER}{name}/{kind}": tensor.cpu()
            for name, parameter in self._parameters.items()
            for kind, tensor in self.optimizer.state.get(parameter, {}).items()
            if tensor is not None
        }

    def progress(self) -> msgspec.Raw:
        """The job's progress, which belongs to the tensors."""
        return msgspec.Raw(msgspec.json.encode(self.ledger.state))

    def restore(self, tensors: Tensors, progress: msgspec.Raw) -> None:
        """Continue from the state of another rank, or an earlier one, with exactly the next step.

        This rank's own state is not part of it, and starts again: what it had not sent was computed with other parameters.
        """
        self._model.load_state_dict(
            {name.removeprefix(MODEL): tensor for name, tensor in tensors.items() if name.startswith(MODEL)}
        )
        self._restore_optimizer(tensors)
        self.state = State(shared=_numpy(tensors, SHARED))
        self.progress_to(progress)

    def progress_to(self, progress: msgspec.Raw) -> None:
        """Take over another rank's progress without its tensors."""
        self.ledger = Ledger(msgspec.json.decode(progress, type=LedgerState))

    def _restore_optimizer(self, tensors: Tensors) -> None:
        self.optimizer.state.clear()
        for name, parameter in self._parameters.items():
            begins = f"{_OPTIMIZER}{name}/"
            mine = [other for other in tensors if other.startswith(begins)]
            state = {other.removeprefix(begins): tensors[other].to(self._device, copy=True) for other in mine}
            if state:
                self.optimizer.state[parameter] = state

    def resume(self, checkpoint: Checkpoint, rank: str = "") -> None:
        """Continue from a checkpoint, and from this rank's own state in it."""
        self.restore(checkpoint.tensors, checkpoint.progress)
        self.state = State(shared=self.state.shared, private=_numpy(checkpoint.tensors, f"{PRIVATE}{rank}/"))


def _torch(prefix: str, arrays: Mapping[str, Array]) -> dict[str, torch.Tensor]:
    return {prefix + name: torch.from_numpy(array) for name, array in arrays.items()}


def _numpy(tensors: Tensors, prefix: str) -> dict[str, Array]:
    """Copies of the tensors whose names begin with `prefix`."""
    return {name.removeprefix(prefix): np.array(tensor.numpy()) for name, tensor in tensors.items() if name.startswith(prefix)}
