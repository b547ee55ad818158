"""Failover: it has acted if the target leads in the end, and nobody else."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import cast

from faults.failover import Failover
from harness.model.environment import Environment
from harness.model.evidence import Evidence, Targets
from harness.model.system import Address

TARGETS = Targets(label="w0", nodes=("n2",), links=())


class Operated:
    """A system of two nodes, each of which says whether it leads, or nothing."""

    def __init__(self, **says: bool | None) -> None:
        self.says = says

    async def leads(self, address: Address) -> bool:
        said = self.says[address[0]]
        if said is None:
            raise TimeoutError
        return said

    async def promote(self, address: Address) -> None:
        """It is said to be done."""


def environment(system: Operated) -> Environment:
    processes = SimpleNamespace(runs=lambda name: True)
    faked = SimpleNamespace(system=system, nodes=system.says, processes=processes, address=lambda name: (name, 0))
    return cast(Environment, faked)


def ended(system: Operated) -> Evidence:
    injected = Evidence(acted=True, text="n2 followed, and leads now")
    return asyncio.run(Failover("n2").heal(environment(system), TARGETS, injected))


def test_an_old_leader_that_follows_in_the_end_is_right() -> None:
    assert ended(Operated(n1=False, n2=True)) == Evidence(acted=True, text="n2 followed, and leads now")


def test_an_old_leader_that_does_not_answer_may_still_lead() -> None:
    """Such as one that is paused: nobody deals with it, and it goes on leading when it wakes up."""
    found = ended(Operated(n1=None, n2=True))
    assert found.acted is False
    assert found.text == "n2 followed, and leads now; n1 did not say whether it leads"


def test_a_target_that_does_not_lead_is_not_said_to() -> None:
    for says in (False, None):
        injected = asyncio.run(Failover("n2").inject(environment(Operated(n1=True, n2=says)), TARGETS))
        assert not injected.acted
        assert injected.text == "n2 followed, and does not say that it leads now"
