"""Judging a recorded run again gives the same result."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from harness.checkers.linearizable import linearizable
from harness.model.invocation import Invocation
from harness.run import catalog, judging
from harness.run.judging import check
from harness.run.rejudging import judge_again
from harness.run.runner import run
from harness.run.spec import run_spec_of
from results.record.result import CheckResult
from results.record.store import load_run
from tests.helpers.engine import run_drill
from tests.helpers.synthetic import concluded, crash
from tests.helpers.transcript import history as transcript
from tests.run.test_runs import drill, everything_echoes


@pytest.mark.nightly
@pytest.mark.parametrize(
    "name", [name for name, file in catalog.drill_files().items() if "nightly=True" not in file.read_text()]
)
def test_every_drill_of_the_default_suite(name: str, tmp_path: Path) -> None:
    done = run(run_spec_of(catalog.find_drill(name), 1, (), "embedded"), runs=tmp_path)
    result, history = load_run(done.run_dir)
    assert judge_again(result, history) == (result.checks, result.slos)


@pytest.mark.slow
def test_a_run_is_judged_by_the_checks_that_its_drill_chose(tmp_path: Path) -> None:
    (tmp_path / "drills").mkdir()
    done = run_drill(drill(), tmp_path)
    result, history = load_run(done.run_dir)
    checks, slos = judge_again(result, history)
    by_name = {one.name: one for one in checks}
    own, beside = by_name.pop(everything_echoes.__name__), by_name.pop("answers_expected")
    assert own.valid is beside.valid is None
    lost = "no checker has this name, and the drill cannot be loaded: No drill called 'test/drill'"
    assert lost in own.why
    assert f"a check of the drill may compare the answers itself: {lost}" in beside.why
    assert by_name == {one.name: one for one in result.checks if one.name not in (own.name, beside.name)}
    assert slos == result.slos


OWN = '''
"""A drill with a check of its own."""
from harness.checkers.linearizable import linearizable
from harness.model.drill import Drill
from harness.model.load import Load
from harness.model.verdict import Verdict
from tests.helpers.echo import Echo, Numbers

def never_content(history):
    return Verdict(valid=False, why=f"{len(history.ops):,} calls, and none was good enough", ops=(0,))

drill = Drill(system=Echo(), workload=Numbers(), load=Load(rate=10, seconds=1), checks=[never_content, linearizable])
'''


def test_a_drills_own_check_is_found_in_its_file(tmp_path: Path) -> None:
    file = tmp_path / "own.py"
    file.write_text(OWN)
    history = crash()
    named = catalog.load_drill(file)
    made = check(history, named.drill.checks)
    result = concluded(history, checks=made, invocation=Invocation(drill=str(file), seed=7))
    assert judge_again(result, history) == (made, result.slos)
    file.write_text(OWN.replace("never_content", "always_content"))
    [lost, kept] = judge_again(result, history)[0]
    assert (lost.valid, lost.why) == (None, f"neither the catalogue nor {file} has it any more")
    assert kept == made[1]


COMPARING = '''
"""A drill with a check that compares answers itself, and takes any for right."""
from harness.model.drill import Drill
from harness.model.load import Load
from harness.model.verdict import Verdict
from tests.helpers.echo import Echo, Numbers

def any_is_right(history):
    return Verdict(valid=True, why="all fine")

def compares(ops):
    return ops["kind"] == "predict"

drill = Drill(system=Echo(), workload=Numbers(), load=Load(rate=10, seconds=1), checks=[any_is_right])
'''


def test_answers_that_the_drills_own_check_compares_are_left_to_it_again(tmp_path: Path) -> None:
    file = tmp_path / "comparing.py"
    file.write_text(COMPARING)
    history = transcript("c1 predict x 1 0..1 ok expected=2\nc1 get x 2 2..3 ok expected=2")
    drill = catalog.load_drill(file).drill
    named = check(history, drill.checks)
    beside = [msgspec.structs.replace(one, asked=False) for one in check(history, judging.beside(drill, history))]
    made = (*named, *beside)
    assert {one.name: one.valid for one in made}["answers_expected"] is True
    result = concluded(history, checks=made, invocation=Invocation(drill=str(file), seed=7))
    assert judge_again(result, history)[0] == made


BOUNDED = '''
"""A drill whose checks are those of the catalogue with bounds of its own."""
from harness.checkers.balanced import balanced_within
from harness.checkers.linearizable import linearizable, linearizable_as
from harness.model import objects
from harness.model.drill import Drill
from harness.model.load import Load
from tests.helpers.echo import Echo, Numbers

as_set = linearizable_as(objects.named("set"))
drill = Drill(
    system=Echo(), workload=Numbers(), load=Load(rate=10, seconds=1), checks=[as_set, balanced_within(1.75), linearizable]
)
'''


def test_a_check_with_bounds_of_its_own_keeps_them(tmp_path: Path) -> None:
    file = tmp_path / "bounded.py"
    file.write_text(BOUNDED)
    history = transcript("c1 add s a 0..1 ok\nc1 enqueue s b 2..3 ok\nc2 read s [] 4..5 ok")
    made = check(history, catalog.load_drill(file).drill.checks)
    assert [one.valid for one in made] == [False, None, None]
    result = concluded(history, checks=made, invocation=Invocation(drill=str(file), seed=7))
    assert judge_again(result, history)[0] == made


def test_checks_that_apply_and_were_not_asked_for_are_not_made() -> None:
    history = crash()
    result = concluded(history, checks=check(history, [linearizable]))
    assert [one.name for one in judge_again(result, history)[0]] == ["linearizable"]


def test_what_the_load_was_planned_as_counts_for_the_slos() -> None:
    """A rate kept for ten seconds was not kept for the planned hour of the load."""
    history = crash()
    result = concluded(history, slos=("rate >= 100/s",), checks=(CheckResult(name="calls_done", valid=True, why=""),))
    short, long = ({"seconds": seconds, "timeout_ms": 1000.0} for seconds in (10.0, 3600.0))
    for load, ok in ((short, True), (long, False)):
        again = msgspec.convert(msgspec.to_builtins(result) | {"load": load}, type(result))
        assert [slo.ok for slo in judge_again(again, history)[1]] == [ok]


def test_without_its_timeout_a_call_without_an_answer_may_have_taken_any_time() -> None:
    _, [slo] = judge_again(concluded(crash(), slos=("max < 2s",)), crash())
    assert slo.ok is None
    assert "calls were given up sooner than that, unanswered" in slo.why
