"""Failover: it has acted if the target leads in the end, and nobody else."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import cast

import pytest

from faults.failover import Failover
from harness.model.environment import Environment
from harness.model.evidence import Evidence, Targets
from harness.model.system import Address

TARGETS = Targets(label="w0", nodes=("n2",), links=())


class Operated:
    """A system of two nodes, each of which says whether it leads, or nothing; started again, it `then` says something else."""

    def __init__(self, *, then: bool | None = False, **says: bool | None) -> None:
        self.says = says
        self.then = then

    async def leads(self, address: Address) -> bool:
        said = self.says[address[0]]
        if said is None:
            raise TimeoutError
        return said

    async def promote(self, address: Address) -> None:
        """It is said to be done."""


def environment(system: Operated) -> Environment:
    async def kill(name: str, label: str) -> int:
        return 1

    async def restart(name: str, label: str) -> int:
        system.says[name] = system.then
        return 2

    processes = SimpleNamespace(runs=lambda name: True, kill=kill, restart=restart)
    faked = SimpleNamespace(system=system, nodes=system.says, processes=processes, address=lambda name: (name, 0))
    return cast(Environment, faked)


def ended(system: Operated) -> Evidence:
    injected = Evidence(acted=True, text="n2 followed, and leads now")
    return asyncio.run(Failover("n2").heal(environment(system), TARGETS, injected))


def test_an_old_leader_that_follows_in_the_end_is_right() -> None:
    assert ended(Operated(n1=False, n2=True)) == Evidence(acted=True, text="n2 followed, and leads now")


@pytest.mark.parametrize("says", [True, None], ids=["leads", "does not answer"])
def test_an_old_leader_that_may_still_lead_is_started_again_and_follows(says: bool | None) -> None:
    """It may not answer because it is paused, and lead when it wakes up; or because all its connections are in use."""
    found = ended(Operated(n1=says, n2=True))
    assert found == Evidence(acted=True, text="n2 followed, and leads now; n1 started again as pid 2")


@pytest.mark.parametrize(("then", "wrong"), [(True, "n1 still leads"), (None, "n1 did not say whether it leads")])
def test_one_that_may_lead_even_then_leaves_it_unknown(then: bool | None, wrong: str) -> None:
    found = ended(Operated(then=then, n1=None, n2=True))
    assert found.acted is False
    assert found.text == f"n2 followed, and leads now; n1 started again as pid 2; {wrong}"


def test_a_target_that_does_not_lead_is_not_said_to() -> None:
    for says in (False, None):
        injected = asyncio.run(Failover("n2").inject(environment(Operated(n1=True, n2=says)), TARGETS))
        assert not injected.acted
        assert injected.text == "n2 followed, and does not say that it leads now"
