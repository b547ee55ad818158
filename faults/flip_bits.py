"""FlipBits: bits of a file change by themselves."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import ClassVar, Final

from harness.model.environment import Environment
from harness.model.errors import FaultError, UsageError
from harness.model.evidence import Evidence, Targets
from harness.model.fault import Aim, Fault, Use
from harness.model.steering import PARTIAL

_TOLD: Final = 3
"""So many bits are told one by one."""


@dataclass(frozen=True)
class FlipBits(Fault):
    """`bits` random bits of the target's files that match `file` (such as "*.log") are flipped once, and stay flipped.

    Any file can be hit: a log, a snapshot, the weights of a model. The node may run or be down, or be a foreign program. One
    that has mapped the file into memory sees the flipped bits at once. The window's end only looks at what became of the
    damage: it is the system that has to notice and repair it.

    Models silent corruption by disks, controllers and cables: Bairavasundaram et al., "An Analysis of Data Corruption in the
    Storage Stack", FAST 2008. What stores do with it: Ganesan et al., "Redundancy Does Not Imply Fault Tolerance", FAST 2017.
    """

    file: str = "*"
    bits: int = 1

    aims_at: ClassVar[Aim] = "nodes"
    uses: ClassVar[Use | None] = "files"

    def __post_init__(self) -> None:
        if self.bits < 1:
            raise UsageError(f"FlipBits(bits={self.bits!r}): a whole number, at least 1.")
        if not self.file or Path(self.file).is_absolute() or ".." in Path(self.file).parts:
            raise UsageError(
                f"FlipBits(file={self.file!r}): a pattern of file names in the node's own folder, such as '*.log'."
            )

    async def inject(self, environment: Environment, targets: Targets) -> Evidence:
        told, readings = [], {}
        for name in targets.nodes:
            random = environment.random(f"{targets.label}/{name}/bits")
            for path, bits in _chosen(environment.disks.folder(name), self.file, self.bits, random).items():
                file = path.relative_to(environment.disks.folder(name))
                for offset, before, after in flip(path, bits):
                    told.append(f"{name} {file} byte {offset}: {before:#04x} became {after:#04x}")
                    readings[f"{name} {file} byte {offset}"] = float(after)
        more = [f"{len(told) - _TOLD} more"] if len(told) > _TOLD else []
        return Evidence(acted=True, text="; ".join(told[:_TOLD] + more), readings=readings)

    async def heal(self, environment: Environment, targets: Targets, injected: Evidence) -> Evidence:
        """Nothing is put back; the evidence says how many of the damaged bytes are still as the fault left them."""
        left: dict[Path, dict[int, float]] = defaultdict(dict)
        for reading, after in injected.readings.items():
            name, _, rest = reading.partition(" ")
            file, _, offset = rest.rpartition(" byte ")
            left[environment.disks.folder(name) / file][int(offset)] = after
        still = sum(_still(path, bytes_left) for path, bytes_left in left.items())
        text = f"{injected.text}; {still} of {len(injected.readings)} bytes were still like that in the end"
        return Evidence(acted=injected.acted, text=text)


def flip(path: Path, bits: Sequence[int]) -> list[tuple[int, int, int]]:
    """Flip bits of a file in place; returns each one's byte: its offset, and it before and after.

    Raises `FaultError` if there is none.
    """
    flipped = []
    try:
        with path.open("r+b", buffering=0) as file:
            for bit in bits:
                found = os.pread(file.fileno(), 1, bit // 8)
                if not found:
                    raise FaultError(f"{path.name} has become shorter than {bit // 8} bytes meanwhile")
                changed = found[0] ^ (1 << bit % 8)
                os.pwrite(file.fileno(), bytes([changed]), bit // 8)
                flipped.append((bit // 8, found[0], changed))
    except OSError as error:
        raise FaultError(f"{path.name} cannot be damaged: {error.strerror}") from error
    return flipped


def _chosen(folder: Path, pattern: str, bits: int, random: Random) -> dict[Path, list[int]]:
    """Different bits by their files, drawn evenly from all that the files have together."""
    sizes = {path: path.stat().st_size for path in sorted(folder.glob(pattern)) if path.is_file() and path.suffix != PARTIAL}
    total = 8 * sum(sizes.values())
    if total < bits:
        there = ", ".join(sorted(path.name for path in folder.iterdir())) or "no file"
        raise FaultError(f"{folder.name} has not {bits} bits in files that match {pattern!r}; it has {there}")
    chosen, drawn, begin = {}, random.sample(range(total), bits), 0
    for path, size in sizes.items():
        if inside := sorted(bit - begin for bit in drawn if begin <= bit < begin + 8 * size):
            chosen[path] = inside
        begin += 8 * size
    return chosen


def _still(path: Path, left: Mapping[int, float]) -> int:
    """How many bytes of a file are as they were left, by offset."""
    try:
        with path.open("rb") as file:
            return sum(os.pread(file.fileno(), 1, offset) == bytes([int(after)]) for offset, after in left.items())
    except FileNotFoundError:
        return 0
