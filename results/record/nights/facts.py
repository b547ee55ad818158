"""What a night ran on, by name, and the digests that decide whether two nights may be compared."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import msgspec

from results.record.result import Machine, Result


def digest_of(value: object) -> str:
    """A short digest of anything that msgspec can encode as JSON."""
    return hashlib.sha256(msgspec.json.encode(value, order="deterministic")).hexdigest()[:16]


def facts_of(machine: Machine, versions: Mapping[str, str], fault_plane: str) -> dict[str, str]:
    """The facts of a night."""
    return {
        "CPU": machine.cpu,
        "cores": str(machine.cores),
        "memory": f"{machine.memory_gib:g} GiB",
        "kernel": machine.kernel,
        "Python": machine.python,
        "fault plane": fault_plane,
        **dict(sorted(versions.items())),
    }


def facts_of_run(result: Result) -> dict[str, str]:
    """The facts in a run's result."""
    return facts_of(result.machine, result.versions, result.fault_plane)


def baseline_of(facts: Mapping[str, str], definition: str) -> str:
    """A digest of what a night ran on and of the drill: only figures with the same one are compared."""
    return digest_of([dict(facts), definition])
