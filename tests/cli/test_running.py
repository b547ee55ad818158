"""A series of drills: which errors end it, and what its JSON says of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from rich.console import Console

from harness.cli import running
from harness.cli.running import Series, Unkept, run_orders
from harness.model.drill import Drill
from harness.model.errors import DrillError, HarnessError
from harness.model.load import Load
from harness.run.runner import CompletedRun
from harness.run.spec import RunSpec
from results.record.result import suite_exit_code
from results.record.store import save
from tests.helpers.echo import Echo, Numbers
from tests.helpers.synthetic import concluded, crash

DRILL = Drill(system=Echo(), workload=Numbers(), load=Load(rate=10, seconds=1))


def series(folder: Path, monkeypatch: pytest.MonkeyPatch, error: Exception) -> Series:
    """Run the drills "a", "b" and "c", of which b raises an error, with `out.json` in the folder."""

    def run(order: RunSpec, **_: object) -> CompletedRun:
        if order.name == "b":
            raise error
        history = crash()
        result = concluded(history, slos=(), drill=order.name)
        save(folder / order.name, result, history)
        return CompletedRun(run_dir=folder / order.name, result=result, history=history)

    monkeypatch.setattr(running, "run", run)
    orders = [RunSpec(name=name, title="", drill=DRILL, seed=1) for name in ("a", "b", "c")]
    return run_orders(orders, suite_exit_code, Unkept(), Console(quiet=True), runs=folder, json_file=folder / "out.json")


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (HarnessError("The run broke off: No space left on device."), "The run broke off: No space left on device."),
        (KeyError("mine"), "KeyError: 'mine'"),
    ],
)
def test_the_json_of_a_series_that_an_error_ends_does_not_say_that_all_held(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, why: str
) -> None:
    with pytest.raises(type(error)):
        series(tmp_path, monkeypatch, error)
    written = json.loads((tmp_path / "out.json").read_text())
    assert (written["exit_code"], [result["drill"] for result in written["results"]]) == (70, ["a"])
    assert [(left["drill"], left["why"]) for left in written["unfinished"]] == [("b", why), ("c", "not begun")]


def test_a_workload_that_cannot_be_used_does_not_keep_other_drills_from_running(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = DrillError("The workload, or the system's client, cannot be used: KeyError: 'mine'.")
    found = series(tmp_path, monkeypatch, error)
    assert ([result.drill for result in found.results], found.exit_code) == (["a", "c"], 2)
    assert json.loads((tmp_path / "out.json").read_text())["unfinished"] == [{"drill": "b", "why": str(error)}]
