"""AddMember and RemoveMember, in a group that refuses."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import pytest

from faults.members import AddMember, RemoveMember
from harness.model.environment import Environment
from harness.model.evidence import Targets
from harness.model.fault import Fault
from harness.model.system import Address

TARGETS = Targets(label="w0", nodes=("n4",), links=())


@dataclass(frozen=True)
class Group:
    """A group, and the environment that it is in. It refuses to let nodes in, or out."""

    refuses: bool | None = None

    nodes = ("n1", "n4")

    @property
    def system(self) -> Group:
        return self

    def address(self, name: str) -> Address:
        return (name, 1)

    async def change_member(self, name: str, joins: bool, addresses: Mapping[str, Address]) -> str | None:
        return "no node leads" if joins is self.refuses else None


@pytest.mark.parametrize(
    ("fault", "refuses", "told"),
    [
        (AddMember("n4"), None, "n4 joins; n4 leaves"),
        (AddMember("n4"), False, "n4 joins; not undone: n4 leaves: no node leads"),
        (RemoveMember("n4"), None, "n4 leaves; n4 joins"),
        (RemoveMember("n4"), True, "n4 leaves; not undone: n4 joins: no node leads"),
    ],
)
def test_a_group_that_is_not_as_before_after_a_change_shows_nothing(fault: Fault, refuses: bool | None, told: str) -> None:
    async def scenario() -> None:
        group = cast(Environment, Group(refuses))
        injected = await fault.inject(group, TARGETS)
        assert injected.acted
        healed = await fault.heal(group, TARGETS, injected)
        assert (healed.acted, healed.text) == (refuses is None, told)

    asyncio.run(scenario())
