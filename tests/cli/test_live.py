"""The line that shows a run's progress on a terminal."""

from __future__ import annotations

import io

from rich.console import Console

from harness.cli.live import Live
from harness.cli.train import _Watcher
from harness.model.drill import Drill
from harness.model.fault_window import FaultWindow, Parameter
from harness.model.load import Load
from harness.run.spec import RunSpec
from tests.helpers.echo import Echo, Numbers
from workloads.load.generator import Progress

EVENT: dict[str, Parameter] = {"event": "[raft] [/commit]"}
WAITING = FaultWindow(kind="KillAt", label="w0", selector="n1", from_s=0, to_s=1, parameters=EVENT, injected_s=0)
"""Brackets are markup to the library that draws the line."""


def test_texts_of_faults_and_drills_are_shown_as_they_are() -> None:
    drill = Drill(system=Echo(), workload=Numbers(), load=Load(rate=10, seconds=1))
    shown = io.StringIO()
    with Live(
        Console(file=shown, force_terminal=True, width=200), RunSpec(name="a[/b]", title="", drill=drill, seed=1)
    ) as live:
        live.on_window(WAITING)
        live.on_progress(0.5, Progress(due=2, ok=1, failed=1, unknown=0, finished=False, latencies_ms=[1.0]))
    assert "a[/b]" in shown.getvalue()
    assert "KillAt(event=[raft] [/commit])" in shown.getvalue()


def test_texts_of_a_trainings_faults_are_shown_as_they_are() -> None:
    shown = io.StringIO()
    _Watcher(Console(file=shown, force_terminal=True, width=200)).on_window(WAITING)
    assert "w0 KillAt(event=[raft] [/commit]) on  begins" in shown.getvalue()
