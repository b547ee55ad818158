"""FlipMemory: bits of a rank's memory flip silently."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final

from faults import _flips, _steered
from harness.model.environment import Environment
from harness.model.errors import UsageError
from harness.model.evidence import Evidence, Targets
from harness.model.fault import Aim, Fault, Use
from harness.model.system import System

_OF: Final = ("parameters", "optimizer", "checkpoint")


@dataclass(frozen=True)
class FlipMemory(Fault):
    """`bits` random bits of a rank's parameters, or of its optimizer's state, are flipped once, between two steps.

    `of="checkpoint"` flips them in the copy that is about to be written to a checkpoint. They stay flipped: the system has to
    notice and repair them. `bit` is which bit of a 32-bit number; None: any. The rank itself reports the flip (the event
    `bit_flipped`). `FlipBits` does the same to files.

    Models memory without error correction, or errors that the correction misses: Sridharan et al., "Memory Errors in Modern
    Systems", ASPLOS 2015.
    """

    of: str = "parameters"
    bits: int = 1
    bit: int | None = None

    aims_at: ClassVar[Aim] = "nodes"
    uses: ClassVar[Use | None] = "memory"

    def __post_init__(self) -> None:
        _flips.check("FlipMemory", self.of, _OF, self.bit)
        if self.bits < 1:
            raise UsageError(f"FlipMemory(bits={self.bits!r}): must be a whole number, at least 1.")

    def check(self, system: System) -> None:
        _steered.check(self, system)

    async def inject(self, environment: Environment, targets: Targets) -> Evidence:
        return _flips.begin(environment, targets, self.of, bits=self.bits, bit=self.bit, times=1)

    async def heal(self, environment: Environment, targets: Targets, injected: Evidence) -> Evidence:
        """Evidence is that bits of each rank's memory were flipped."""
        return _flips.end(environment, targets, injected, f"looks at its {self.of}")
