"""One partition for every store: the drills in this folder differ only in the system, so that the report compares them.

Each client is bound to one node, like users near one data centre, so both sides of the partition always get requests.
"""

from __future__ import annotations

from collections.abc import Sequence

from faults.partition import Partition
from harness.model.drill import Drill
from harness.model.load import Load
from harness.model.system import System
from harness.model.verdict import Checker
from workloads.registers import Registers


def minority_cut(system: System, checks: Sequence[Checker]) -> Drill:
    """One of three is cut off; later it hears nothing, though it is heard."""
    return Drill(
        system=system,
        workload=Registers(keys=6, writes=0.4),
        load=Load(rate=200, clients=150, seconds=13, sticky=True),
        faults=[Partition("n3").between(1.5, 4.5), Partition("n3", direction="in").between(8, 10.5)],
        checks=checks,
        nightly=True,
    )


def halves_cut(system: System, checks: Sequence[Checker]) -> Drill:
    """Four fall apart into two and two."""
    return Drill(
        system=system,
        workload=Registers(keys=6, writes=0.4),
        load=Load(rate=200, clients=150, seconds=8, sticky=True),
        faults=[Partition("n3 n4").between(1.5, 4.5)],
        checks=checks,
        nightly=True,
    )
