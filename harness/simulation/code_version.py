"""The version of the code that ran a seed: with other code the same seed gives another schedule."""

from __future__ import annotations

import hashlib
import importlib.util
from functools import cache
from pathlib import Path
from typing import Final

import msgspec

from harness import roots
from harness.model.drill import Drill
from harness.run.definition import definition_of
from harness.run.provenance import commit

_PACKAGES: Final = ("faults", "harness", "systems", "workloads")
"""The packages whose code decides what a seed does, besides the drill's own system and workload."""


class CodeVersion(msgspec.Struct, frozen=True, kw_only=True):
    """A version of all the code that decides what a seed of a drill does."""

    commit: str
    """The commit of the working directory, for people: "1a2b3c4d5e6f+" if it had changes; "" if it is not a repository."""
    digest: str
    """The digest of the sources and of the drill."""

    @classmethod
    def of(cls, drill: Drill) -> CodeVersion:
        """The version of the current code."""
        digest = hashlib.sha256(definition_of(drill).encode())
        used = {type(part).__module__.partition(".")[0] for part in (drill.system, drill.workload)}
        for package in sorted({*_PACKAGES, *used}):
            digest.update(_sources(package).encode())
        return cls(commit=commit(), digest=digest.hexdigest()[:16])

    def differs_from(self, now: CodeVersion) -> str | None:
        """A line that says that a run with this version may not repeat now; None if the code is the same."""
        if self.digest == now.digest:
            return None
        then_at, now_at = self.commit or "no commit", now.commit or "no commit"
        return f"it was found with other code ({then_at} then, {now_at} now), so it may not do the same now, nor fail"


@cache
def _sources(package: str) -> str:
    digest = hashlib.sha256()
    spec = importlib.util.find_spec(package)
    if spec is None:
        return ""
    files = (
        [file for folder in spec.submodule_search_locations for file in roots.sources(Path(folder))]
        if spec.submodule_search_locations
        else [Path(spec.origin)]
        if spec.origin
        else []
    )
    for file in files:
        digest.update(file.name.encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()
