"""Check whether this machine can run a system."""

from __future__ import annotations

from harness.cluster.fake_clocks import missing as missing_for_clocks
from harness.cluster.network_namespaces import missing as missing_for_namespaces
from harness.model.system import HasRequirements, System


def missing_for(system: System, *, namespaces: bool) -> str | None:
    """One line that says what this machine lacks to run a system; None if it lacks nothing."""
    missing = system.missing() if isinstance(system, HasRequirements) else None
    clocks = missing_for_clocks() if any(node.fake_clock for node in system.nodes()) else None
    return missing or clocks or (missing_for_namespaces() if namespaces else None)
