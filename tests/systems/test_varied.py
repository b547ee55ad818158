"""What simulated seeds change of a system leaves a drill everything that it may name."""

from __future__ import annotations

from random import Random

import pytest

from harness.model.simulated import Varies
from harness.model.system import System, links_of
from systems.bus import Bus
from systems.eventual import Eventual
from systems.featured import Featured
from systems.partitioned import Partitioned
from systems.quorum import Quorum
from systems.raft import Raft
from systems.regions import Regions
from systems.serving import Serving
from systems.strong import Strong

SYSTEMS: tuple[System, ...] = (
    Bus(), Eventual(), Eventual(replicas=5), Featured(), Featured(replicas=3), Partitioned(), Quorum(),
    Quorum(replicas=5, read=3, write=3), Raft(), Raft(replicas=5), Regions(), Serving(), Serving(replicas=5), Strong(),
    Strong(replicas=5),
)  # fmt: skip


@pytest.mark.parametrize("system", SYSTEMS, ids=repr)
def test_no_node_and_no_link_is_missing(system: System) -> None:
    assert isinstance(system, Varies)
    nodes, links = {node.name for node in system.nodes()}, set(links_of(system))
    for seed in range(40):
        varied = system.varied(Random(seed))
        assert nodes <= {node.name for node in varied.nodes()}
        assert links <= set(links_of(varied))
