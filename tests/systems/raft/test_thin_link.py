"""A node behind a thin link: whatever it lacks gets through, in entries or in a snapshot, although all of it is long."""

from __future__ import annotations

import pytest

from systems.raft import Raft
from tests.helpers.effort import left_to_ci
from tests.helpers.thin_link import entries_behind


@pytest.mark.parametrize(("compact_at_kib", "in_flight_kib"), [(2, 4096), left_to_ci(1024, 1)])
def test_what_a_node_lacks_gets_through(compact_at_kib: int, in_flight_kib: int) -> None:
    assert entries_behind(Raft(compact_at_kib=compact_at_kib, keep=0, in_flight_kib=in_flight_kib)) < 8
