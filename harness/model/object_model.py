"""The sequential specification of an object, which a history is judged against: what it does, one call at a time.

A model takes ten lines. This one is a register that holds null at first:

    from harness.model.object_model import REFUSED

    class Register:
        \"\"\"A register that is read and written.\"\"\"

        kinds = frozenset({"read", "write"})
        initial = None

        def step(self, state, call):
            if call.kind == "write":
                return call.value
            return state if call.value == state else REFUSED

States are immutable and hashable, and equal states behave alike. `step` is a pure function. A model that does not depend on
which client calls may say so with `clients_alike = True`; it is then judged faster.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from enum import Enum
from typing import Final, Protocol, runtime_checkable


class Refused(Enum):
    """What `step` returns if the call cannot have had this answer."""

    REFUSED = "refused"


class Same(Enum):
    """The state as it was."""

    SAME = "same"


class Whatever(Enum):
    """Any state."""

    WHATEVER = "whatever"


REFUSED: Final = Refused.REFUSED
SAME: Final = Same.SAME
WHATEVER: Final = Whatever.WHATEVER

State = Hashable


@dataclass(frozen=True, slots=True)
class Call:
    """One call of an object, as `harness.model.history` records it.

    `value` is the argument or the answer, as the model's docstring says. If no answer came, `answered` is false and `value`
    holds at most the argument: the model then accepts any answer that fits the state.
    """

    client: int
    kind: str
    value: str | None
    answered: bool = True


class Model(Protocol):
    """An object's sequential specification, described by the first line of its docstring."""

    @property
    def kinds(self) -> frozenset[str]:
        """The kinds of calls that it knows."""
        ...

    @property
    def initial(self) -> State:
        """The state before the first call."""
        ...

    def step(self, state: State, call: Call) -> State | Refused:
        """The state after the call, or `REFUSED` if the call cannot have had this answer in this state.

        Raises `ValueError` if the call's value does not have the form of its kind.
        """
        ...


@runtime_checkable
class Observed(Protocol):
    """A model that knows which calls only read. It is judged faster."""

    def observes(self, call: Call) -> bool:
        """Whether the call never changes the state: if `step` does not refuse it, it returns the state as it was."""
        ...


@runtime_checkable
class Overwritten(Protocol):
    """A model that knows which calls overwrite. It is judged faster."""

    def overwrites(self, call: Call) -> bool:
        """Whether the call is never refused, and leads to the same state whatever the state before."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A call that depends only on whether the object is in one given state.

    In the state `expected` (with `differs`, in every other state) the new state is `leaves`; otherwise `otherwise` applies.
    """

    expected: State | Whatever = WHATEVER
    differs: bool = False
    leaves: State | Same = SAME
    otherwise: Refused | Same = REFUSED

    def after(self, state: State) -> State | Refused:
        """The result of `step`."""
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
    """A model whose calls all have rules, so the search need not call `step`."""

    def rule(self, call: Call) -> Rule:
        """The call's rule; it agrees with `step`."""
        ...
