"""Generates docs/faults.md from the faults' docstrings and from the drills that use them.

python -m harness.cli.fault_page > docs/faults.md
"""

from __future__ import annotations

import dataclasses
import inspect
from collections import defaultdict
from typing import Final

from harness.model.fault import Fault
from harness.run import catalog
from harness.run.schedule import windows

_HEAD: Final = """\
# Faults

What each fault does, what it models, and the drills that use it. `python -m harness.cli.fault_page` generates this page from
docstrings; a test keeps it up to date.

Every fault acts on its `target`: "one", "minority", "half", "majority", "all", "leader", a node's name, several ("n1 n2") or,
if it acts on links, one or more of them ("n1>n2 n1>n3"). `Fault(target, …).between(from_s, to_s)` makes it a window of a drill;
[architecture.md](architecture.md#schedules) shows how to compose windows. A fault returns evidence, gathered from outside the
system, that it acted; a run whose faults did not all act is unknown.
"""

_SEEDS: Final = 32


def page() -> str:
    """The page as Markdown."""
    uses = _uses()
    parts = [_HEAD]
    for kind in sorted(catalog.fault_classes(), key=lambda kind: kind.__name__):
        drills = ", ".join(f"`{name}`" for name in uses[kind]) or "none"
        parts += [
            f"## {kind.__name__}\n\n```python\nfrom {kind.__module__} import {kind.__name__}\n\n{_signature(kind)}\n```\n",
            f"{inspect.getdoc(kind)}\n",
            f"Drills: {drills}.\n",
        ]
    return "\n".join(parts)


def _signature(kind: type[Fault]) -> str:
    defaults = [
        field.name if field.default is dataclasses.MISSING else f"{field.name}={field.default!r}"
        for field in dataclasses.fields(kind)
        if field.init
    ]
    return f"{kind.__name__}({', '.join(defaults)})"


def _uses() -> dict[type[Fault], list[str]]:
    uses: dict[type[Fault], list[str]] = defaultdict(list)
    for name in catalog.drill_files():
        drill = catalog.find_drill(name).drill
        # However windows are written, a few seeds draw every fault they may hold.
        drawn = [window for seed in range(_SEEDS) for window, _ in windows(drill.faults, drill.load.seconds, seed)]
        for kind in {type(window.fault) for window in drawn}:
            uses[kind].append(name)
    return uses


if __name__ == "__main__":
    print(page(), end="")
