"""How the ranks of a training combine their gradients: one file for each method, found by its name.

A method is a frozen value with its options as fields. `combine` is pure: it takes what this rank has computed and the state of
the previous step, yields what to send, and receives the answers, so that the same code runs over gloo and, in tests, without a
network. It does not import PyTorch, so that a method can be validated before anything starts.
"""

from __future__ import annotations

import dataclasses
import importlib
import itertools
import re
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from harness.model.errors import UsageError, hint

Array = NDArray[Any]

NAMES: Final = sorted(file.stem.replace("_", "-") for file in Path(__file__).parent.glob("[a-z]*.py"))


@dataclass(frozen=True)
class Gather:
    """Send an array to all: the answer is all members' arrays, in the order of ranks, reused for the next of this shape."""

    mine: Array


@dataclass(frozen=True)
class Sum:
    """Add arrays up over all members: the answer is the sum, with the same bits at every member."""

    mine: Array
    half: bool = False
    """Carry and add as bfloat16: half the bytes, three digits."""


Combining = Generator[Gather | Sum, Array, "Combined"]


@dataclass(frozen=True, kw_only=True)
class Layout:
    """The layout of a row of numbers: the gradient of each parameter, one after another, and last the loss."""

    shapes: tuple[tuple[int, ...], ...]
    seed: int = 0

    @property
    def slices(self) -> list[slice]:
        """The place of each parameter in a row."""
        ends = np.cumsum([0, *(int(np.prod(shape)) for shape in self.shapes)]).tolist()
        return [slice(begin, end) for begin, end in itertools.pairwise(ends)]

    @property
    def numbers(self) -> int:
        """The count of numbers in the parameters, without the loss."""
        return sum(int(np.prod(shape)) for shape in self.shapes)


@dataclass(frozen=True, kw_only=True)
class State:
    """The state that a method carries from one step to the next."""

    shared: Mapping[str, Array] = field(default_factory=dict)
    """The part that is the same at every member. The group sends it to a rank that it takes in."""
    private: Mapping[str, Array] = field(default_factory=dict)
    """The part of this rank alone: what it has computed and not sent yet. Checkpoints contain it; a lost rank loses it."""


@dataclass(frozen=True, kw_only=True)
class Given:
    """One rank's contribution to a step."""

    rows: Array
    """(most shards of a member, numbers + 1), float32: its shards' sums over samples, padded with zeros."""
    rank: int
    dealt: tuple[range, ...]
    """The shards of each member, in the order of ranks."""
    layout: Layout
    state: State

    @property
    def total(self) -> Array:
        """The sum of this rank's rows, in the order of its shards; a new array."""
        total = np.zeros(self.rows.shape[1], dtype=np.float32)
        for row in self.rows[: len(self.dealt[self.rank])]:
            total += row
        return total


@dataclass(frozen=True, kw_only=True)
class Combined:
    """The combined result of all members."""

    total: Array
    """(numbers + 1), float32: the sum over all samples of the step, or its approximation. The same bits at every member."""
    state: State
    """The state for the next step, once this one is done; until then the old state is valid."""


class Method(Protocol):
    """A way to combine. All members of a training use the same one."""

    @property
    def repeatable(self) -> bool:
        """Whether repeating a step gives the same bits, even with other members.

        If not, members make sure that all hold the sum before any of them applies it.
        """

    @property
    def trainer(self) -> str:
        """The trainer that computes rows, as "module:name"."""

    @property
    def batches(self) -> int:
        """The number of batches in a step."""

    def combine(self, given: Given) -> Combining:
        """Yield what to send, receive the answers, return the combined result. Does not change `given`."""


TRAINER: Final = "systems.training.trainer:Trainer"

_TEXT: Final = re.compile(r"\s*([\w-]+)\s*(?:\((.*)\))?\s*")
_OPTION: Final = re.compile(r"\s*(\w+)\s*=\s*([-+.\deE]+)\s*")


def method(text: str) -> Method:
    """The method with this name and options, such as "one-bit" or "top-k(share=0.02)".

    Raises `UsageError` if there is no such method, or it does not have these options.
    """
    found = _TEXT.fullmatch(text)
    name, inside = (text, None) if found is None else (found[1], found[2])
    if name not in NAMES:
        raise UsageError(f"Training(exchange={text!r}): there is no such method. {hint(name, NAMES)}")
    kind = importlib.import_module(f"{__name__}.{name.replace('-', '_')}").Method
    fields = {one.name: one.type for one in dataclasses.fields(kind)}
    options: dict[str, float | int] = {}
    for part in inside.split(",") if inside and inside.strip() else []:
        one = _OPTION.fullmatch(part)
        if one is None or one[1] not in fields:
            takes = hint(one[1] if one else part.strip(), sorted(fields)) if fields else "It takes none."
            raise UsageError(f"Training(exchange={text!r}): {name} has no option {part.strip()!r}. {takes}")
        try:
            options[one[1]] = int(one[2]) if fields[one[1]] == "int" else float(one[2])
        except ValueError:
            raise UsageError(f"Training(exchange={text!r}): {one[1]}={one[2]} is no {fields[one[1]]}.") from None
    return cast(Method, kind(**options))


def text_of(method: Method) -> str:
    """A method with all its options, in the format that `method` reads."""
    name = type(method).__module__.rpartition(".")[2].replace("_", "-")
    options = ", ".join(f"{one.name}={getattr(method, one.name):g}" for one in dataclasses.fields(cast(Any, method)))
    return f"{name}({options})" if options else name
