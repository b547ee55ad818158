"""What goes wrong, and when: `Fault`, `Window`, and what a fault says of itself. Plain frozen values, no I/O."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import ClassVar, Literal, Protocol

from harness.model import selector
from harness.model.environment import Environment
from harness.model.errors import UsageError
from harness.model.evidence import Evidence, Targets
from harness.model.moment import EVENT_NAMES, Moment
from harness.model.steps import Steps
from harness.model.system import System

Aim = Literal["nodes", "links"]
Use = Literal["files", "clock", "memory"]


@dataclass(frozen=True)
class Fault(ABC):
    """Something that goes wrong. Stateless: all that `heal` needs is in its arguments."""

    target: str
    """A selector: "one", "minority", "half", "majority", "all", "leader", a node's name, or a link such as "n1>n2"."""

    aims_at: ClassVar[Aim]
    """Whether it acts on processes or on links."""
    needs: ClassVar[type | None] = None
    """The capability (a protocol such as `HasLeader`) that it asks of the system."""
    uses: ClassVar[Use | None] = None
    """What a node must use for this fault of it to show: files of its own, the wall clock, or
    memory that it tells of."""
    on_packets: ClassVar[bool] = False
    """Whether it acts on packets between network namespaces, as `Drill(namespaces=True)` has them."""
    on_process_limits: ClassVar[bool] = False
    """Whether it acts on limits that the operating system keeps for each process, which simulated nodes have not."""

    changes_members: ClassVar[bool] = False
    """Whether it is an operator's change of a system's members: a simulated seed that leaves a drill's faults out makes it all
    the same, for the drill is about that."""

    @abstractmethod
    async def inject(self, environment: Environment, targets: Targets) -> Evidence:
        """Begin. Raises `FaultError` if it cannot act; what was half done is healed all the same."""

    @abstractmethod
    async def heal(self, environment: Environment, targets: Targets, injected: Evidence) -> Evidence:
        """End, and say what was seen of it. Safe to call after an `inject` that failed half way."""

    def check(self, system: System) -> None:  # noqa: B027 - most faults make sense everywhere
        """Raise `UsageError` if this fault makes no sense in a system, whatever its target."""

    def between(self, from_s: float, to_s: float) -> Window:
        """This fault from `from_s` to `to_s` seconds after the load's start."""
        return Window(fault=self, from_s=from_s, to_s=to_s)

    def following(self, from_s: float, to_s: float) -> Window:
        """The same on whoever leads: if another node comes to lead meanwhile, the fault moves there."""
        return Window(fault=self, from_s=from_s, to_s=to_s, follows=True)

    def flapping(self, from_s: float, to_s: float, *, on_s: float, off_s: float) -> Flapping:
        """This fault again and again on the same target, `on_s` seconds of it and `off_s` without."""
        return Flapping(fault=self, from_s=from_s, to_s=to_s, on_s=on_s, off_s=off_s)

    def at_step(self, step: int, *, for_s: float = 1.0) -> StepWindow:
        """This fault for `for_s` seconds, beginning as soon as a training has done `step` steps."""
        return StepWindow(fault=self, steps=Steps(begin=step, for_s=for_s))

    def from_step(self, step: int) -> StepWindow:
        """This fault to the load's end, beginning as soon as a training has done `step` steps."""
        return StepWindow(fault=self, steps=Steps(begin=step))

    def between_steps(self, from_step: int, to_step: int) -> StepWindow:
        """This fault from when `from_step` steps are done until `to_step` are.

        A fault that stops the training keeps `to_step` from being reached; it is then healed when the load ends.
        """
        return StepWindow(fault=self, steps=Steps(begin=from_step, end=to_step))

    def when(
        self,
        *,
        sent: str | None = None,
        received: str | None = None,
        heard: str | None = None,
        answering: str | None = None,
        syncing: str | None = None,
        synced: str | None = None,
        renaming: str | None = None,
        collective: str | None = None,
        nth: int = 1,
        at: str = "",
        from_s: float = 0.0,
        for_s: float = 1.0,
    ) -> MomentWindow:
        """This fault for `for_s` seconds, beginning just when a node does something for the `nth` time after `from_s`.

        Exactly one of the first eight says what, see `harness.model.moment.Event`, and gives the beginning of the request's
        path, of the file's name or of the collective's; "" is any. The node is `at`, or else the fault's target.
        `Kill("n1").when(sent="/replica", nth=3)` kills n1 just after its third request to a replica has left it.
        """
        given = {
            name: match
            for name, match in (
                ("sent", sent),
                ("received", received),
                ("heard", heard),
                ("answering", answering),
                ("syncing", syncing),
                ("synced", synced),
                ("renaming", renaming),
                ("collective", collective),
            )
            if match is not None
        }
        if len(given) != 1:
            raise UsageError(
                f'{self!r}.when({", ".join(given)}): say one thing that the node does, such as sent="/replica".'
                f" There are {', '.join(EVENT_NAMES.values())}."
            )
        ((event, match),) = given.items()
        return MomentWindow(fault=self, moment=Moment(event=event, match=match, nth=nth, at=at, for_s=for_s), from_s=from_s)

    def at_random(self, from_s: float, to_s: float, *, mean_s: float, for_s: float = 1.0) -> RandomTimes:
        """This fault again and again, `mean_s` seconds from one to the next on average, each time for `for_s` seconds."""
        return RandomTimes(fault=self, from_s=from_s, to_s=to_s, mean_s=mean_s, for_s=for_s)

    def at_random_steps(self, from_step: int, to_step: int, *, mean_steps: float, for_s: float = 1.0) -> RandomSteps:
        """This fault again and again, `mean_steps` steps from one to the next on average, each time for `for_s` seconds."""
        return RandomSteps(fault=self, from_step=from_step, to_step=to_step, mean_steps=mean_steps, for_s=for_s)


class Composition(Protocol):
    """What a drill's `faults` holds: one window, or several that belong together."""

    steady: ClassVar[bool]
    """Whether all its windows hit what the first one hits."""

    @property
    def faults(self) -> Sequence[Fault]:
        """Every fault that its windows may have."""

    def ends_s(self, load_s: float) -> float:
        """When its last window ends at the latest, under a load of so many seconds. Raises `UsageError` if none fits."""

    def expand(self, random: Random, load_s: float) -> list[Window]:
        """Its windows, in order of their beginning; the same `random` gives the same ones."""


@dataclass(frozen=True, kw_only=True)
class Window:
    """A fault and when it holds, in seconds after the load's start. `follows` the leader as that moves, or does not."""

    fault: Fault
    from_s: float
    to_s: float
    follows: bool = False
    steps: Steps | None = None
    """If the progress of a training decides, how; `from_s` and `to_s` are then the earliest and the latest time."""
    moment: Moment | None = None
    """If a node's own work decides, when; `from_s` and `to_s` are then the earliest and the latest time."""

    steady: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not (math.isfinite(self.from_s) and math.isfinite(self.to_s) and 0 <= self.from_s < self.to_s):
            raise UsageError(
                f"{self.fault!r}.between({self.from_s:g}, {self.to_s:g}): a window begins at 0 or later and ends after"
                " it begins."
            )
        if self.follows and self.fault.target != selector.LEADER:
            raise UsageError(
                f"{self.fault!r}.following({self.from_s:g}, {self.to_s:g}): only a fault on 'leader' can follow it."
                " Use .between(…)."
            )

    @property
    def faults(self) -> tuple[Fault, ...]:
        return (self.fault,)

    def ends_s(self, load_s: float) -> float:
        return self.to_s

    def expand(self, random: Random, load_s: float) -> list[Window]:
        return [self]


@dataclass(frozen=True, kw_only=True)
class Flapping:
    """A fault that comes and goes: from `from_s` to `to_s`, `on_s` seconds of it and then `off_s` without, on one target.

    As a loose cable does, or a server that a supervisor starts again. Each time is a window of its own.
    """

    fault: Fault
    from_s: float
    to_s: float
    on_s: float
    off_s: float

    steady: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not all(0.001 <= seconds < math.inf for seconds in (self.on_s, self.off_s)):
            raise UsageError(f"{self.fault!r}.flapping(on_s={self.on_s:g}, off_s={self.off_s:g}): both are at least 0.001.")
        Window(fault=self.fault, from_s=self.from_s, to_s=self.to_s)
        if not self.expand(Random(), math.inf):
            raise UsageError(
                f"{self.fault!r}.flapping({self.from_s:g}, {self.to_s:g}, on_s={self.on_s:g}): it does not fit in there once."
            )

    @property
    def faults(self) -> tuple[Fault, ...]:
        return (self.fault,)

    def ends_s(self, load_s: float) -> float:
        return self.to_s

    def expand(self, random: Random, load_s: float) -> list[Window]:
        on_ms, off_ms = milliseconds(self.on_s), milliseconds(self.off_s)
        begins_ms = range(milliseconds(self.from_s), milliseconds(self.to_s) - on_ms + 1, on_ms + off_ms)
        return [window_of(self.fault, at_ms, at_ms + on_ms) for at_ms in begins_ms]


@dataclass(frozen=True, kw_only=True)
class StepWindow:
    """A fault that begins when a training reaches a step."""

    fault: Fault
    steps: Steps

    steady: ClassVar[bool] = True

    @property
    def faults(self) -> tuple[Fault, ...]:
        return (self.fault,)

    def ends_s(self, load_s: float) -> float:
        return load_s

    def expand(self, random: Random, load_s: float) -> list[Window]:
        return [Window(fault=self.fault, from_s=0.0, to_s=load_s, steps=self.steps)]


@dataclass(frozen=True, kw_only=True)
class MomentWindow:
    """A fault that begins when a node comes to a moment of its own work."""

    fault: Fault
    moment: Moment
    from_s: float

    steady: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not 0 <= self.from_s < math.inf:
            raise UsageError(f"{self.fault!r}.when(from_s={self.from_s:g}): a window begins at 0 or later.")
        if self.fault.aims_at == "links" and not self.moment.at:
            raise UsageError(f'{self.fault!r}.when(…): it acts on links, so say at which node: at="n1".')

    @property
    def faults(self) -> tuple[Fault, ...]:
        return (self.fault,)

    def ends_s(self, load_s: float) -> float:
        return max(load_s, self.from_s + self.moment.for_s)

    def expand(self, random: Random, load_s: float) -> list[Window]:
        return [Window(fault=self.fault, from_s=self.from_s, to_s=load_s, moment=self.moment)]


@dataclass(frozen=True, kw_only=True)
class RandomTimes:
    """A fault that begins at random times between `from_s` and `to_s`, as if failures came independently of each other.

    The times from one beginning to the next are exponentially distributed with the mean `mean_s`. Each time it lasts `for_s`
    and its target is chosen anew. If no time comes about, one is drawn: no run is without a fault.
    """

    fault: Fault
    from_s: float
    to_s: float
    mean_s: float
    for_s: float

    steady: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if not (0 <= self.from_s < self.to_s < math.inf and all(0.001 <= s < math.inf for s in (self.mean_s, self.for_s))):
            raise UsageError(
                f"{self.fault!r}.at_random({self.from_s:g}, {self.to_s:g}, mean_s={self.mean_s:g}, for_s={self.for_s:g}):"
                " needs 0 <= from_s < to_s, and at least 0.001 of mean_s and for_s."
            )

    @property
    def faults(self) -> tuple[Fault, ...]:
        return (self.fault,)

    def ends_s(self, load_s: float) -> float:
        return self.to_s + self.for_s

    def expand(self, random: Random, load_s: float) -> list[Window]:
        begins_ms = map(milliseconds, _independent(random, self.from_s, self.to_s, self.mean_s))
        return [window_of(self.fault, at_ms, at_ms + milliseconds(self.for_s)) for at_ms in begins_ms]


@dataclass(frozen=True, kw_only=True)
class RandomSteps:
    """A fault that begins at random steps from `from_step` to before `to_step`; otherwise as `RandomTimes`."""

    fault: Fault
    from_step: int
    to_step: int
    mean_steps: float
    for_s: float

    steady: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if not (0 <= self.from_step < self.to_step and 1 <= self.mean_steps < math.inf and 0.001 <= self.for_s < math.inf):
            raise UsageError(
                f"{self.fault!r}.at_random_steps({self.from_step}, {self.to_step}, mean_steps={self.mean_steps:g},"
                f" for_s={self.for_s:g}): needs 0 <= from_step < to_step, mean_steps >= 1 and for_s >= 0.001."
            )

    @property
    def faults(self) -> tuple[Fault, ...]:
        return (self.fault,)

    def ends_s(self, load_s: float) -> float:
        return load_s

    def expand(self, random: Random, load_s: float) -> list[Window]:
        begins = map(int, _independent(random, self.from_step, self.to_step, self.mean_steps))
        return [
            Window(fault=self.fault, from_s=0.0, to_s=load_s, steps=Steps(begin=begin, for_s=self.for_s)) for begin in begins
        ]


def _independent(random: Random, begin: float, end: float, mean: float) -> list[float]:
    """Points in between as a Poisson process has them; one point at least."""
    points, at = [], begin
    while (at := at + random.expovariate(1 / mean)) < end:
        points.append(at)
    return points or [random.uniform(begin, end)]


def milliseconds(seconds: float) -> int:
    """Schedules are drawn in whole milliseconds, so that they read well and sum up exactly."""
    return round(seconds * 1000)


def window_of(fault: Fault, from_ms: int, to_ms: int) -> Window:
    """A window from and to whole milliseconds."""
    return Window(fault=fault, from_s=from_ms / 1000, to_s=to_ms / 1000)
