"""From a drill's faults and a seed to the windows of one run: random ones drawn, selectors resolved, all before the start."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness import selector
from harness.drill import Drill, Randomly, Targets, Window, links_of
from harness.seeds import stream

if TYPE_CHECKING:
    from harness.drill import System


@dataclass(frozen=True, kw_only=True)
class PlannedWindow:
    """A window of one run. `targets` is None where only the system can say, when the window begins."""

    label: str
    window: Window
    targets: Targets | None


def plan(drill: Drill, seed: int) -> list[PlannedWindow]:
    """The windows of the run with this seed, in order of their beginning."""
    when, where = stream(seed, "windows"), stream(seed, "targets")
    windows: list[Window] = []
    for item in drill.faults:
        windows.extend(item.expand(when) if isinstance(item, Randomly) else [item])
    windows.sort(key=lambda window: window.from_s)
    planned = []
    for number, window in enumerate(windows):
        label = f"w{number}"
        chosen = None
        if window.fault.target != selector.LEADER:
            nodes, links = selector.choose(window.fault.target, drill.system.nodes(), links_of(drill.system), where)
            chosen = Targets(label=label, nodes=tuple(nodes), links=tuple(links))
        planned.append(PlannedWindow(label=label, window=window, targets=chosen))
    return planned


def targets_of(system: System, label: str, node: str) -> Targets:
    """The targets of a window that hits one node by name."""
    touching = tuple(link for link in links_of(system) if node in (link.source, link.target))
    return Targets(label=label, nodes=(node,), links=touching)
