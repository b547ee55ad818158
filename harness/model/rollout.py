"""A rolling deploy as a pure machine: it says what is to be done next and is told how that went. No clock, no I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

from harness.model.system import Address

Action = Literal["replace", "verify"]
Result = Literal["deployed", "rolled back", "stuck"]


@dataclass(frozen=True)
class Step:
    """One thing to do: end a node and start it as `version`, or see whether it is well as that version."""

    action: Action
    node: str
    version: str


class Rollout:
    """One node after another is replaced and verified. At the first one that is not well, all that were replaced go back.

    Nodes go back in reverse order, the one that is not well first, and are verified too. If one cannot go back the deploy
    is stuck: the others are left as they are, for a person to look at.
    """

    def __init__(self, nodes: Sequence[str], *, old: str, new: str) -> None:
        self.result: Result | None = "deployed" if not nodes else None
        """How it ended; None while it has not."""
        self.why = ""
        """What was wrong, if it did not simply succeed."""
        self._old = old
        self._new = new
        self._replaced: list[str] = []
        self._back = False
        self._steps = [step for node in nodes for step in self.steps(node, new)]

    def steps(self, node: str, version: str) -> list[Step]:
        return [Step("replace", node, version), Step("verify", node, version)]

    def next(self) -> Step | None:
        """What is to be done now, the same until `done` was called; None when it is over."""
        return self._steps[0] if self.result is None else None

    def done(self, wrong: str | None) -> None:
        """The step was done; `wrong` is what was not as it should be. Raises `ValueError` when nothing is to be done."""
        step = self.next()
        if step is None:
            raise ValueError("the deploy is over")
        if step.action == "replace" and not self._back:
            self._replaced.append(step.node)
        self._steps.pop(0)
        if wrong is not None:
            self.failed(f"{step.node} as {step.version}: {wrong}")
        elif not self._steps:
            self.result = "rolled back" if self._back else "deployed"

    def failed(self, why: str) -> None:
        """Something was not as it should be: go back, or give up if this was already on the way back."""
        if self._back:
            self.result, self.why = "stuck", f"{self.why}; {why}"
            return
        self._back, self.why = True, why
        self._steps = [step for node in reversed(self._replaced) for step in self.steps(node, self._old)]


@runtime_checkable
class HasDeploy(Protocol):
    """A system whose replicas can be replaced by another version while it runs."""

    def rollout(self, nodes: Sequence[str], version: str) -> Rollout:
        """The deploy of a version onto these nodes. Raises `UsageError` if there is no such version."""

    def config_of(self, version: str) -> Mapping[str, object]:
        """The settings that make a node that version."""

    async def verify(self, node: str, version: str, addresses: Mapping[str, Address]) -> str | None:
        """What is wrong with a node that was just started as a version; None if it is well and in service again."""


@runtime_checkable
class HasReload(HasDeploy, Protocol):
    """A system whose replicas can also go on with another version while they run."""

    async def reload(self, node: str, version: str, addresses: Mapping[str, Address]) -> str | None:
        """Have a node take a version; why it did not, None if it serves it now."""
