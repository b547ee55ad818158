"""A run's schedule as a file: written before the start, read back exactly, replayed by `harness drill NAME --schedule FILE`.

    {"version": 1, "drill": "quorum/isolated", "seed": 7, "windows": [
        {"label": "w0", "fault": {"type": "faults.partition:Isolate", "fields": {"target": "one"}}, "from_s": 1.5, "to_s": 4.0,
         "follows": false, "nodes": ["n2"], "links": ["client>n2", "n1>n2", …]}]}

`nodes` and `links` are the resolved target; both are null for "leader", the node that leads when the window begins.
A window that begins at a step of a training also has "steps": {"begin": 120, "end": null, "for_s": 1.0}.
A window that begins at a moment of a node's work has "moment": {"event": "sent", "match": "/replica", "nth": 3, "at": "n1",
"for_s": 1.0}.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from harness.model.codec import Described, describe
from harness.model.drill import Drill, check_fault
from harness.model.errors import UsageError
from harness.model.evidence import Targets
from harness.model.fault import Fault, Window
from harness.model.moment import Moment
from harness.model.selector import LEADER
from harness.model.steps import Steps
from harness.model.system import links_of
from harness.run import catalog
from harness.run.schedule import PlannedWindow

SCHEDULE: Final = "schedule.json"
"""The file's name in a run's folder."""

_VERSION: Final = 1


class _Row(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One window."""

    label: str
    fault: Described
    from_s: float
    to_s: float
    follows: bool
    nodes: tuple[str, ...] | None
    links: tuple[str, ...] | None
    steps: Steps | None = None
    moment: Moment | None = None


class _File(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    version: int
    drill: str
    seed: int
    """`drill` and `seed` say where the schedule comes from. The replay does not depend on them."""
    windows: tuple[_Row, ...]


class _Version(msgspec.Struct):
    version: int


def encode(windows: Sequence[PlannedWindow], drill: str, seed: int) -> bytes:
    """The schedule as indented JSON."""
    file = _File(version=_VERSION, drill=drill, seed=seed, windows=tuple(map(_row, windows)))
    return msgspec.json.format(msgspec.json.encode(file), indent=2) + b"\n"


def read(path: Path, drill: Drill) -> tuple[PlannedWindow, ...]:
    """The windows of a schedule file, or of the schedule in a run's folder.

    Raises `UsageError` if it is not a schedule, or does not fit the drill's system and load.
    """
    path = path / SCHEDULE if path.is_dir() else path
    try:
        text = path.read_bytes()
        version = msgspec.json.decode(text, type=_Version).version
        if version != _VERSION:
            raise UsageError(f"{path} is a schedule of version {version}; this harness reads version {_VERSION}.")
        rows = msgspec.json.decode(text, type=_File).windows
    except OSError as error:
        raise UsageError(
            f"Cannot read the schedule {path}: {error.strerror}. Name a schedule file or a run's folder."
        ) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is not a schedule: {error}.") from error
    labels = [row.label for row in rows]
    windows = []
    for row in rows:
        try:
            if labels.count(row.label) > 1:
                raise UsageError("more than one window has this label.")  # noqa: TRY301 - reported like all the others
            windows.append(_window(row, drill))
        except UsageError as error:
            raise UsageError(f"{path}, window {row.label!r}: {error}") from error
    return tuple(sorted(windows, key=lambda planned: planned.window.from_s))


def _row(planned: PlannedWindow) -> _Row:
    window, targets = planned.window, planned.targets
    return _Row(
        label=planned.label,
        fault=describe(window.fault),
        from_s=window.from_s,
        to_s=window.to_s,
        follows=window.follows,
        steps=window.steps,
        moment=window.moment,
        nodes=targets.nodes if targets else None,
        links=tuple(link.name for link in targets.links) if targets else None,
    )


def _window(row: _Row, drill: Drill) -> PlannedWindow:
    fault = _fault(row.fault, drill)
    check_fault(fault, drill.system, namespaces=drill.namespaces)
    if row.to_s > drill.load.seconds:
        raise UsageError(f"it ends at {row.to_s:g} s, after the load stops at {drill.load.seconds:g} s. Raise load.seconds.")
    window = Window(fault=fault, from_s=row.from_s, to_s=row.to_s, follows=row.follows, steps=row.steps, moment=row.moment)
    return PlannedWindow(label=row.label, window=window, targets=_targets(row, fault, drill))


def _fault(described: Described, drill: Drill) -> Fault:
    kinds = catalog.fault_kinds() | {f"{type(one).__module__}:{type(one).__name__}": type(one) for one in _faults(drill)}
    if described.type not in kinds:
        raise UsageError(f"there is no fault {described.type!r} here. See `harness list`.")
    kind = kinds[described.type]
    try:
        return msgspec.convert(described.fields, kind)
    except msgspec.ValidationError as error:
        raise UsageError(f"{kind.__name__} does not take these fields: {error}.") from error


def _faults(drill: Drill) -> list[Fault]:
    return [fault for item in drill.faults for fault in item.faults]


def _targets(row: _Row, fault: Fault, drill: Drill) -> Targets | None:
    if row.nodes is None or row.links is None:
        if fault.target != LEADER:
            raise UsageError(f"it does not say which nodes and links {fault.target!r} stands for.")
        return None
    nodes = [node.name for node in drill.system.nodes()]
    links = {link.name: link for link in links_of(drill.system)}
    if strange := [name for name in row.nodes if name not in nodes] + [name for name in row.links if name not in links]:
        raise UsageError(
            f"{type(drill.system).__name__} has no {', '.join(strange)}; its nodes are {', '.join(nodes)}."
            " Use a schedule of this drill, or set the drill's system to what it was."
        )
    return Targets(label=row.label, nodes=row.nodes, links=tuple(links[name] for name in row.links))
