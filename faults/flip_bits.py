"""FlipBits: bits of a file flip silently."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import ClassVar, Final

from harness.model.environment import Environment, StoredFile
from harness.model.errors import FaultError, UsageError
from harness.model.evidence import Evidence, Targets
from harness.model.fault import Aim, Fault, Use

_TOLD: Final = 3
"""How many bits are listed one by one."""


@dataclass(frozen=True)
class FlipBits(Fault):
    """`bits` random bits of the target's files that match `file` (such as "*.log") are flipped once, and stay flipped.

    Any file can be hit: a log, a snapshot, the weights of a model. The node may be running or down, or be a foreign program. A
    node that has mapped the file into memory sees the flipped bits at once. The window's end only checks what became of the
    damage: the system has to notice and repair it.

    Models silent corruption by disks, controllers and cables: Bairavasundaram et al., "An Analysis of Data Corruption in the
    Storage Stack", FAST 2008. How stores react: Ganesan et al., "Redundancy Does Not Imply Fault Tolerance", FAST 2017.
    """

    file: str = "*"
    bits: int = 1

    aims_at: ClassVar[Aim] = "nodes"
    uses: ClassVar[Use | None] = "files"

    def __post_init__(self) -> None:
        if self.bits < 1:
            raise UsageError(f"FlipBits(bits={self.bits!r}): must be a whole number, at least 1.")
        if not self.file or Path(self.file).is_absolute() or ".." in Path(self.file).parts:
            raise UsageError(
                f"FlipBits(file={self.file!r}): must be a pattern of file names in the node's folder, such as '*.log'."
            )

    async def inject(self, environment: Environment, targets: Targets) -> Evidence:
        told, readings = [], {}
        for name in targets.nodes:
            random = environment.random(f"{targets.label}/{name}/bits")
            files = environment.disks.files(name, self.file)
            for file, bits in self._chosen(environment, name, files, random).items():
                for offset, before, after in flip(files[file], bits):
                    told.append(f"{name} {file} byte {offset}: {before:#04x} became {after:#04x}")
                    readings[f"{name} {file} byte {offset}"] = float(after)
        more = [f"{len(told) - _TOLD} more"] if len(told) > _TOLD else []
        return Evidence(acted=True, text="; ".join(told[:_TOLD] + more), readings=readings)

    async def heal(self, environment: Environment, targets: Targets, injected: Evidence) -> Evidence:
        """Nothing is restored; the evidence says how many damaged bytes are still as the fault left them."""
        left: dict[tuple[str, str], dict[int, float]] = defaultdict(dict)
        for reading, after in injected.readings.items():
            name, _, rest = reading.partition(" ")
            file, _, offset = rest.rpartition(" byte ")
            left[name, file][int(offset)] = after
        still = sum(_still(environment.disks.files(name), file, bytes_left) for (name, file), bytes_left in left.items())
        text = f"{injected.text}; {still} of {len(injected.readings)} bytes were still damaged at the end"
        return Evidence(acted=injected.acted, text=text)

    def _chosen(
        self, environment: Environment, name: str, files: Mapping[str, StoredFile], random: Random
    ) -> dict[str, list[int]]:
        """Distinct bits by file, drawn uniformly from all the files together."""
        sizes = {file: stored.size() for file, stored in files.items()}
        total = 8 * sum(sizes.values())
        if total < self.bits:
            there = ", ".join(environment.disks.files(name)) or "no file"
            raise FaultError(f"{name} has fewer than {self.bits} bits in files that match {self.file!r}; it has {there}")
        chosen, drawn, begin = {}, random.sample(range(total), self.bits), 0
        for file, size in sizes.items():
            if inside := sorted(bit - begin for bit in drawn if begin <= bit < begin + 8 * size):
                chosen[file] = inside
            begin += 8 * size
        return chosen


def flip(file: StoredFile, bits: Sequence[int]) -> list[tuple[int, int, int]]:
    """Flip bits of a file in place. Returns the offset of each one's byte, and the byte before and after.

    Raises `FaultError` if the file has no such bit.
    """
    flipped = []
    for bit in bits:
        found = file.read_at(bit // 8, 1)
        if not found:
            raise FaultError(f"a file to be damaged has meanwhile become shorter than {bit // 8} bytes")
        changed = found[0] ^ (1 << bit % 8)
        file.write_at(bit // 8, bytes([changed]))
        flipped.append((bit // 8, found[0], changed))
    return flipped


def _still(files: Mapping[str, StoredFile], file: str, left: Mapping[int, float]) -> int:
    """How many bytes of a file, by offset, are still as the fault left them."""
    if file not in files:
        return 0
    try:
        return sum(files[file].read_at(offset, 1) == bytes([int(after)]) for offset, after in left.items())
    except FaultError:  # it has just been deleted
        return 0
