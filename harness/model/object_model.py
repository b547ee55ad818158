"""What an object does, one call at a time: the sequential specification that a history is judged against.

A model is ten lines. This is one of a register that holds null at first:

    class Register:
        \"\"\"A register that is read and written.\"\"\"

        kinds = frozenset({"read", "write"})
        initial = None

        def step(self, state, call):
            if call.kind == "write":
                return call.value
            return state if call.value == state else REFUSED

States are immutable and hashable, and equal states behave alike. `step` is a pure function. A model to which it is all the same
which client calls may say so by `clients_alike = True`, and is then judged faster.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from enum import Enum
from typing import Final, Protocol, runtime_checkable


class Refused(Enum):
    """What `step` returns if a call cannot have been answered as it was."""

    REFUSED = "refused"


class Same(Enum):
    """The state as it was."""

    SAME = "same"


class Whatever(Enum):
    """Every state."""

    WHATEVER = "whatever"


REFUSED: Final = Refused.REFUSED
SAME: Final = Same.SAME
WHATEVER: Final = Whatever.WHATEVER

State = Hashable


@dataclass(frozen=True, slots=True)
class Call:
    """One call of an object, as `harness.model.history` records it.

    `value` is what was given or what was answered, as the model's docstring says. If no answer came, `answered` is false, and
    `value` holds at most what was given: the model then takes whatever answer fits the state.
    """

    client: int
    kind: str
    value: str | None
    answered: bool = True


class Model(Protocol):
    """An object's sequential specification. The first line of its docstring describes it."""

    @property
    def kinds(self) -> frozenset[str]:
        """The kinds of calls that it knows."""
        ...

    @property
    def initial(self) -> State:
        """What the object holds before the first call."""
        ...

    def step(self, state: State, call: Call) -> State | Refused:
        """The state after the call, or `REFUSED` if the call cannot have been answered so in this state.

        Raises `ValueError` if the call's value is not of the form that its kind asks for.
        """
        ...


@runtime_checkable
class Observed(Protocol):
    """A model that knows which calls only look. It is judged faster than one that does not."""

    def observes(self, call: Call) -> bool:
        """Whether the call changes no state: wherever `step` does not refuse it, it returns the state as it was."""
        ...


@runtime_checkable
class Overwritten(Protocol):
    """A model that knows which calls overwrite. It is judged faster than one that does not."""

    def overwrites(self, call: Call) -> bool:
        """Whether the call is never refused and the state after it is the same whatever the state before it was."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A call that depends on no more than whether the object is in one state.

    In the state `expected` (with `differs`, in every state but that one) it leaves `leaves`; in all others it does `otherwise`.
    """

    expected: State | Whatever = WHATEVER
    differs: bool = False
    leaves: State | Same = SAME
    otherwise: Refused | Same = REFUSED

    def after(self, state: State) -> State | Refused:
        """What `step` returns."""
        if self.expected is WHATEVER or (state == self.expected) != self.differs:
            return state if self.leaves is SAME else self.leaves
        return state if self.otherwise is SAME else REFUSED

    @property
    def observes(self) -> bool:
        return self.leaves is SAME

    @property
    def overwrites(self) -> bool:
        return self.leaves is not SAME and self.expected is WHATEVER


@runtime_checkable
class Ruled(Protocol):
    """A model all of whose calls have rules: the search then need not ask it for every step."""

    def rule(self, call: Call) -> Rule:
        """The call's rule; `step` returns the same."""
        ...
