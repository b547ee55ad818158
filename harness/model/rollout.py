"""A rolling deploy as a pure state machine: it says what to do next, and its caller reports the result. No clock, no I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

from harness.model.system import Address

Action = Literal["replace", "verify"]
Result = Literal["deployed", "rolled back", "stuck"]


@dataclass(frozen=True)
class Step:
    """One thing to do: stop a node and start it as `version`, or verify that it is healthy as that version."""

    action: Action
    node: str
    version: str


class Rollout:
    """Replace and verify one node after another. At the first unhealthy node, roll back every node that was replaced.

    Nodes roll back in reverse order, the unhealthy one first, and are verified too. If one cannot roll back, the deploy is
    stuck: the others stay as they are, for an operator to look at.
    """

    def __init__(self, nodes: Sequence[str], *, old: str, new: str) -> None:
        self.result: Result | None = "deployed" if not nodes else None
        """How it ended; None while it goes on."""
        self.why = ""
        """What went wrong, if anything did."""
        self._old = old
        self._new = new
        self._replaced: list[str] = []
        self._back = False
        self._steps = [step for node in nodes for step in self.steps(node, new)]

    def steps(self, node: str, version: str) -> list[Step]:
        return [Step("replace", node, version), Step("verify", node, version)]

    def next(self) -> Step | None:
        """The step to do now, the same one until `done` is called; None when the deploy is over."""
        return self._steps[0] if self.result is None else None

    def done(self, wrong: str | None) -> None:
        """Report that the step was done, and what went `wrong`, if anything. Raises `ValueError` if the deploy is over."""
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
        """Report that something went wrong: roll back, or give up if the deploy was already rolling back."""
        if self._back:
            self.result, self.why = "stuck", f"{self.why}; {why}"
            return
        self._back, self.why = True, why
        self._steps = [step for node in reversed(self._replaced) for step in self.steps(node, self._old)]


@runtime_checkable
class HasDeploy(Protocol):
    """A system whose replicas can be replaced by another version while it runs."""

    def rollout(self, nodes: Sequence[str], version: str) -> Rollout:
        """The deploy of a version to these nodes. Raises `UsageError` if there is no such version."""

    def config_of(self, version: str) -> Mapping[str, object]:
        """The settings with which a node runs that version."""

    async def verify(self, node: str, version: str, addresses: Mapping[str, Address]) -> str | None:
        """What is wrong with a node that was just started as a version; None if it is healthy and back in service."""


@runtime_checkable
class HasReload(HasDeploy, Protocol):
    """A system whose replicas can also switch to another version without a restart."""

    async def reload(self, node: str, version: str, addresses: Mapping[str, Address]) -> str | None:
        """Make a node load a version. Returns why it did not, None if it serves that version now."""
