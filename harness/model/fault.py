"""What goes wrong, and when: `Fault`, `Window`, and what a fault declares about itself. Plain frozen values, no I/O."""

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
    """Something that goes wrong. Stateless: `heal` gets all that it needs as arguments."""

    target: str
    """A selector: "one", "minority", "half", "majority", "all", "leader", a node's name, or a link such as "n1>n2"."""

    aims_at: ClassVar[Aim]
    """Whether it acts on processes or on links."""
    needs: ClassVar[type | None] = None
    """The capability (a protocol such as `HasLeader`) that it needs the system to have."""
    uses: ClassVar[Use | None] = None
    """What a node must use for this fault to show: its own files, the wall clock, or memory that it reports."""
    on_packets: ClassVar[bool] = False
    """Whether it acts on packets between network namespaces, which need `Drill(namespaces=True)`."""
    on_process_limits: ClassVar[bool] = False
    """Whether it acts on the operating system's limits of a process, which simulated nodes do not have."""

    changes_members: ClassVar[bool] = False
    """Whether it is an operator's change of a system's members. A simulated seed that leaves out a drill's faults still makes
    such a change, because the drill is about it."""

    @abstractmethod
    async def inject(self, environment: Environment, targets: Targets) -> Evidence:
        """Begin. Raises `FaultError` if it cannot act; `heal` is called even so."""

    @abstractmethod
    async def heal(self, environment: Environment, targets: Targets, injected: Evidence) -> Evidence:
        """End, and return the evidence. Safe to call after an `inject` that failed half way."""

    def check(self, system: System) -> None:  # noqa: B027 - most faults make sense everywhere
        """Raise `UsageError` if this fault makes no sense in a system, whatever its target."""

    def between(self, from_s: float, to_s: float) -> Window:
        """This fault from `from_s` to `to_s` seconds after the load's start."""
        return Window(fault=self, from_s=from_s, to_s=to_s)

    def following(self, from_s: float, to_s: float) -> Window:
        """The same on the current leader: if another node becomes the leader, the fault moves there."""
        return Window(fault=self, from_s=from_s, to_s=to_s, follows=True)

    def flapping(self, from_s: float, to_s: float, *, on_s: float, off_s: float) -> Flapping:
        """This fault again and again on the same target: `on_s` seconds on, `off_s` seconds off."""
        return Flapping(fault=self, from_s=from_s, to_s=to_s, on_s=on_s, off_s=off_s)

    def at_step(self, step: int, *, for_s: float = 1.0) -> StepWindow:
        """This fault for `for_s` seconds, beginning as soon as a training has done `step` steps."""
        return StepWindow(fault=self, steps=Steps(begin=step, for_s=for_s))

    def from_step(self, step: int) -> StepWindow:
        """This fault to the load's end, beginning as soon as a training has done `step` steps."""
        return StepWindow(fault=self, steps=Steps(begin=step))

    def between_steps(self, from_step: int, to_step: int) -> StepWindow:
        """This fault from when `from_step` steps are done until `to_step` steps are.

        If the fault stops the training, `to_step` is never reached, and the fault is healed when the load ends.
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

        Give exactly one of the first eight arguments (see `harness.model.moment.Event`): a prefix of the request's path, of
        the file's name or of the collective's; "" matches any. The node is `at`, or else the fault's target.
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
        """This fault again and again, beginning every `mean_s` seconds on average, each time for `for_s` seconds."""
        return RandomTimes(fault=self, from_s=from_s, to_s=to_s, mean_s=mean_s, for_s=for_s)

    def at_random_steps(self, from_step: int, to_step: int, *, mean_steps: float, for_s: float = 1.0) -> RandomSteps:
        """This fault again and again, beginning every `mean_steps` steps on average, each time for `for_s` seconds."""
        return RandomSteps(fault=self, from_step=from_step, to_step=to_step, mean_steps=mean_steps, for_s=for_s)


class Composition(Protocol):
    """An item of a drill's `faults`: one window, or several that belong together."""

    steady: ClassVar[bool]
    """Whether all its windows hit the target of the first one."""

    @property
    def faults(self) -> Sequence[Fault]:
        """Every fault that its windows may have."""

    def ends_s(self, load_s: float) -> float:
        """The latest end of its last window under a load of `load_s` seconds. Raises `UsageError` if no window fits."""

    def expand(self, random: Random, load_s: float) -> list[Window]:
        """Its windows, by start time; the same `random` gives the same windows."""


@dataclass(frozen=True, kw_only=True)
class Window:
    """A fault and when it holds, in seconds after the load's start. With `follows`, it moves with the leader."""

    fault: Fault
    from_s: float
    to_s: float
    follows: bool = False
    steps: Steps | None = None
    """The training steps that begin and end it, if steps do; `from_s` and `to_s` then bound the time."""
    moment: Moment | None = None
    """The moment in a node's work that begins it, if one does; `from_s` and `to_s` then bound the time."""

    steady: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not (math.isfinite(self.from_s) and math.isfinite(self.to_s) and 0 <= self.from_s < self.to_s):
            raise UsageError(f"{self.fault!r}.between({self.from_s:g}, {self.to_s:g}): needs 0 <= from_s < to_s.")
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
    """A fault that comes and goes on one target from `from_s` to `to_s`: `on_s` seconds on, then `off_s` seconds off.

    Like a loose cable, or a server that a supervisor keeps restarting. Each time is a separate window.
    """

    fault: Fault
    from_s: float
    to_s: float
    on_s: float
    off_s: float

    steady: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not all(0.001 <= seconds < math.inf for seconds in (self.on_s, self.off_s)):
            raise UsageError(
                f"{self.fault!r}.flapping(on_s={self.on_s:g}, off_s={self.off_s:g}): needs at least 0.001 of each."
            )
        Window(fault=self.fault, from_s=self.from_s, to_s=self.to_s)
        if not self.expand(Random(), math.inf):
            raise UsageError(
                f"{self.fault!r}.flapping({self.from_s:g}, {self.to_s:g}, on_s={self.on_s:g}): on_s is longer than the window."
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
    """A fault that begins when a node reaches a moment of its own work."""

    fault: Fault
    moment: Moment
    from_s: float

    steady: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not 0 <= self.from_s < math.inf:
            raise UsageError(f"{self.fault!r}.when(from_s={self.from_s:g}): needs from_s >= 0.")
        if self.fault.aims_at == "links" and not self.moment.at:
            raise UsageError(f'{self.fault!r}.when(…): this fault acts on links, so name the node: at="n1".')

    @property
    def faults(self) -> tuple[Fault, ...]:
        return (self.fault,)

    def ends_s(self, load_s: float) -> float:
        return max(load_s, self.from_s + self.moment.for_s)

    def expand(self, random: Random, load_s: float) -> list[Window]:
        return [Window(fault=self.fault, from_s=self.from_s, to_s=load_s, moment=self.moment)]


@dataclass(frozen=True, kw_only=True)
class RandomTimes:
    """A fault that begins at random times between `from_s` and `to_s`, as independent failures do.

    The time from one beginning to the next is exponentially distributed with mean `mean_s`. Each time the fault lasts `for_s`
    and its target is chosen anew. There is at least one window, so that no run is without a fault.
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
    """A fault that begins at random steps from `from_step` up to, but not including, `to_step`; otherwise as `RandomTimes`."""

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
    """The points of a Poisson process in between; at least one."""
    points, at = [], begin
    while (at := at + random.expovariate(1 / mean)) < end:
        points.append(at)
    return points or [random.uniform(begin, end)]


def milliseconds(seconds: float) -> int:
    """Whole milliseconds, in which schedules are drawn so that they read well and add up exactly."""
    return round(seconds * 1000)


def window_of(fault: Fault, from_ms: int, to_ms: int) -> Window:
    """A window between two times in whole milliseconds."""
    return Window(fault=fault, from_s=from_ms / 1000, to_s=to_ms / 1000)
