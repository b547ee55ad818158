"""Expand a drill's faults and a seed into the windows of one run, with selectors resolved, before the start."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from harness.model import selector
from harness.model.drill import Drill
from harness.model.evidence import Targets
from harness.model.fault import Composition, Window
from harness.model.seeds import stream
from harness.model.system import links_of

if TYPE_CHECKING:
    from harness.model.system import System


@dataclass(frozen=True, kw_only=True)
class PlannedWindow:
    """A window of one run. `targets` is None if it is known only when the window begins."""

    label: str
    window: Window
    targets: Targets | None


def plan(drill: Drill, seed: int) -> list[PlannedWindow]:
    """The windows of the run with this seed, by start time."""
    return plan_faults(drill.faults, drill.system, drill.load.seconds, seed)


def windows(faults: Sequence[Composition], load_s: float, seed: int) -> list[tuple[Window, int]]:
    """The windows of faults, in the order of the faults, each with the place of its fault."""
    when = stream(seed, "windows")
    return [(window, place) for place, item in enumerate(faults) for window in item.expand(when, load_s)]


def plan_faults(faults: Sequence[Composition], system: System, load_s: float, seed: int) -> list[PlannedWindow]:
    """The windows of faults on a system, by start time.

    Overlapping windows hit different replicas, as long as there are enough.
    """
    where = stream(seed, "targets")
    planned: list[PlannedWindow] = []
    settled: dict[int, Targets] = {}
    for number, (window, place) in enumerate(sorted(windows(faults, load_s, seed), key=lambda pair: pair[0].from_s)):
        label = f"w{number}"
        chosen = settled.get(place)
        if chosen is not None:
            chosen = replace(chosen, label=label)
        elif window.fault.target != selector.LEADER:
            nodes, links = selector.choose(
                window.fault.target, system.nodes(), links_of(system), where, _busy(planned, window.from_s)
            )
            chosen = Targets(label=label, nodes=tuple(nodes), links=tuple(links))
            if faults[place].steady:
                settled[place] = chosen
        planned.append(PlannedWindow(label=label, window=window, targets=chosen))
    return planned


def _busy(planned: Sequence[PlannedWindow], at_s: float) -> set[str]:
    """The nodes that are hit by windows that still hold at a time."""
    return {node for one in planned if one.targets and one.window.to_s > at_s for node in one.targets.nodes}


def targets_of(system: System, label: str, node: str) -> Targets:
    """The targets of a window that hits one named node."""
    touching = tuple(link for link in links_of(system) if node in (link.source, link.target))
    return Targets(label=label, nodes=(node,), links=touching)
