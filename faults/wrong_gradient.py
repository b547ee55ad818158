"""WrongGradient: a rank silently computes wrong results."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final

from faults import _flips, _steered
from harness.model.environment import Environment
from harness.model.errors import UsageError
from harness.model.evidence import Evidence, Targets
from harness.model.fault import Aim, Fault, Use
from harness.model.system import System

_OF: Final = ("gradient", "activation")


@dataclass(frozen=True)
class WrongGradient(Fault):
    """A bit flips in each gradient that the rank computes while the window lasts, or in the first `times` of them.

    `bit` is which bit of the 32: 31 is the sign, 30 the highest of the exponent, 22 to 0 the mantissa; None: any. Flipping a
    low bit gives a plausible number. `steady`: it is the same bit of the same number each time, so that the rank gets the same
    wrong result if it computes again; otherwise another one each time. `of="activation"` flips a bit of each layer's output
    instead, so that everything computed from it is wrong as well. The rank itself reports each flip (the event `bit_flipped`).

    Models a processor that computes wrongly and raises no error: Hochschild et al., "Cores that don't count", HotOS 2021; Dixit
    et al., "Silent Data Corruptions at Scale", 2021. In 54 days of training Llama 3, six of 419 unexpected interruptions were
    silent data corruption (Grattafiori et al., "The Llama 3 Herd of Models", 2024).
    """

    of: str = "gradient"
    bit: int | None = None
    times: int | None = None
    steady: bool = False

    aims_at: ClassVar[Aim] = "nodes"
    uses: ClassVar[Use | None] = "memory"

    def __post_init__(self) -> None:
        _flips.check("WrongGradient", self.of, _OF, self.bit)
        if self.times is not None and self.times < 1:
            raise UsageError(f"WrongGradient(times={self.times!r}): must be at least 1.")

    def check(self, system: System) -> None:
        _steered.check(self, system)

    async def inject(self, environment: Environment, targets: Targets) -> Evidence:
        return _flips.begin(environment, targets, self.of, bits=1, bit=self.bit, times=self.times, steady=self.steady)

    async def heal(self, environment: Environment, targets: Targets, injected: Evidence) -> Evidence:
        """Evidence is how many gradients of each rank had a bit flipped."""
        return _flips.end(environment, targets, injected, f"{self.of}s")
