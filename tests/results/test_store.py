"""Runs on disk: what is written is read back, and unreadable runs give a one-line message."""

from __future__ import annotations

import resource
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest

from harness.checkers.linearizable import linearizable
from harness.model import training_events
from harness.model.errors import HarnessError, UsageError
from harness.model.history import History
from harness.model.training_events import CheckpointRefused, Named, NotSaved, Resumed, Saved, TakenBack
from harness.run.imports.files import found_in
from harness.run.judging import check as check_again
from results.record.result import VERSION
from results.record.store import latest, load_frames, load_run, new_run_dir, run_dirs, save
from results.report.page import write_report
from tests.helpers.synthetic import concluded, crash, steady

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def test_a_run_is_read_back_as_it_was_saved(tmp_path: Path) -> None:
    history = crash()
    result = concluded(history)
    run_dir = new_run_dir(tmp_path, result.drill, result.seed, AT)
    assert run_dir == tmp_path / "quorum" / "killed" / "20260102T030405Z-7"
    assert (run_dir / "nodes").is_dir()
    save(run_dir, result, history)
    again, frames = load_run(run_dir)
    assert again == result
    for name in ("ops", "windows", "events", "links", "usage"):
        pd.testing.assert_frame_equal(getattr(frames, name), getattr(history, name))
    assert not list(run_dir.glob("*.part"))


@pytest.mark.usefixtures("undrawn")
def test_a_run_of_the_previous_version_is_read_and_reported(tmp_path: Path) -> None:
    recorded = Path(__file__).parent.parent / "data" / "run-version-1"
    result, history = load_run(recorded)
    assert (result.version, result.invocation, result.rerun) == (1, None, "harness drill stale --seed 3")
    assert (len(history.ops), len(history.usage)) == (205, 0)
    assert [found.valid for found in check_again(history, [linearizable])] == [True]
    write_report([recorded], tmp_path / "page.html")
    assert "SLO missed" in (tmp_path / "page.html").read_text()


def test_a_run_of_the_previous_version_without_faults_is_read(tmp_path: Path) -> None:
    history = History.of(steady())
    save(tmp_path, concluded(history), history)
    windows = tmp_path / "windows.parquet"
    pd.read_parquet(windows).drop(columns="parameters").to_parquet(windows)
    assert load_frames(tmp_path).windows.empty


def test_sentences_of_a_training_in_a_run_of_version_2_are_read_as_what_they_say(tmp_path: Path) -> None:
    told = [
        ("coordinator", "saved", "generation 1: step 10"),
        ("coordinator", "saved", "generation 1: step 20"),
        ("rank1", "not saved", "generation 1: step 30: No space left on device"),
        ("rank0", "refused", "generation 2: step 20 (every10-1.json): 0of2.safetensors is missing"),
        ("rank0", "refused", "generation 2: every10-2.json: the manifest does not match its own SHA-256"),
        ("master", "refused", "generation 2: worker1's gradients of step 3: this is step 4"),
        ("coordinator", "taken back", "generation 2: to step 10; checkpoints withdrawn: 20 30"),
        ("coordinator", "taken back", "generation 2: to step 10; checkpoints withdrawn: none"),
        ("coordinator", "named", "generation 2: rank1 computed shard 3 wrongly, told by rank0 rank2"),
        ("master", "resumed", "generation 3: step 10 of term 2"),
        ("rank0", "resumed", "generation 3: step 0, the first"),
        ("rank0", "lost", "generation 3: Connection closed by peer"),
        ("rank0", "saved", "generation 3: whatever"),
    ]
    events = [{"at_ns": at, "node": node, "kind": kind, "detail": detail} for at, (node, kind, detail) in enumerate(told)]
    history = History.of(steady(), events=events)
    save(tmp_path, concluded(history, version=2), history)
    read = load_frames(tmp_path).events
    rest = read[~read["detail"].str.startswith("{")]
    assert list(zip(rest["kind"], rest["detail"], strict=True)) == [told[5][1:], *(row[1:] for row in told[-2:])]
    history = History.of(steady(), events=read.drop(rest.index))
    typed = training_events.told(history, Saved, NotSaved, CheckpointRefused, TakenBack, Named, Resumed)
    assert [(event.at_ns, event.event) for event in typed] == [
        (0, Saved(generation=1, step=10)),
        (1, Saved(generation=1, step=20)),
        (2, NotSaved(generation=1, step=30, why="No space left on device")),
        (3, CheckpointRefused(generation=2, step=20, file="every10-1.json", why="0of2.safetensors is missing")),
        (
            4,
            CheckpointRefused(
                generation=2, step=None, file="every10-2.json", why="the manifest does not match its own SHA-256"
            ),
        ),
        (6, TakenBack(generation=2, step=10, withdrawn=(20, 30))),
        (7, TakenBack(generation=2, step=10, withdrawn=())),
        (8, Named(generation=2, rank="rank1", why="computed shard 3 wrongly", by=("rank0", "rank2"))),
        (9, Resumed(generation=3, step=10, of_generation=2)),
        (10, Resumed(generation=3, step=0)),
    ]


def test_a_run_of_a_later_version_is_refused_in_one_line(tmp_path: Path) -> None:
    history = crash()
    save(tmp_path, concluded(history, version=VERSION + 1), history)
    later = rf"result.json is of version {VERSION + 1}; this harness reads up to version {VERSION}"
    with pytest.raises(UsageError, match=later):
        load_run(tmp_path)


def test_an_empty_history_is_read_back(tmp_path: Path) -> None:
    history = type(crash()).of(crash().ops.iloc[:0])
    save(tmp_path, concluded(history), history)
    assert len(load_run(tmp_path)[1].ops) == 0


def test_runs_of_the_same_second_do_not_collide(tmp_path: Path) -> None:
    paths = [new_run_dir(tmp_path, "a/b", 7, AT) for _ in range(3)]
    assert [path.name for path in paths] == ["20260102T030405Z-7", "20260102T030405Z-7-2", "20260102T030405Z-7-3"]


def test_listing_is_by_time_and_leaves_out_unfinished_runs(tmp_path: Path) -> None:
    history = crash()
    for hour, drill in [(5, "quorum/killed"), (3, "serving/healthy"), (4, "quorum/killed")]:
        save(new_run_dir(tmp_path, drill, 7, AT.replace(hour=hour)), concluded(history, drill=drill), history)
    new_run_dir(tmp_path, "quorum/killed", 7, AT.replace(hour=6))
    assert [path.name[9:11] for path in run_dirs(tmp_path)] == ["03", "04", "05"]
    assert latest(tmp_path).name.startswith("20260102T05")
    assert latest(tmp_path, "serving/healthy").name.startswith("20260102T03")


def test_a_file_of_a_node_is_no_run_whatever_its_name(tmp_path: Path) -> None:
    history = crash()
    run_dir = new_run_dir(tmp_path, "quorum/killed", 7, AT)
    save(run_dir, concluded(history), history)
    (run_dir / "nodes" / "n1").mkdir()
    (run_dir / "nodes" / "n1" / "result.json").write_text("{}")
    assert run_dirs(tmp_path) == [run_dir]
    assert run_dirs(run_dir) == [run_dir]
    assert [len(found.runs) for found in found_in([tmp_path])] == [1]
    of_a_suite = new_run_dir(tmp_path, "nodes/killed", 7, AT.replace(hour=9))
    save(of_a_suite, concluded(history, drill="nodes/killed"), history)
    assert latest(tmp_path) == of_a_suite


def test_no_runs_yet(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no run of a/b in .* `harness drill a/b`"):
        latest(tmp_path / "runs", "a/b")


def test_a_folder_that_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"not a run's folder: cannot read result.json.* Name the one that holds its report"):
        load_run(tmp_path)


def test_a_damaged_history_names_the_file(tmp_path: Path) -> None:
    history = crash()
    save(tmp_path, concluded(history), history)
    (tmp_path / "events.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(UsageError, match=r"Cannot read .*events.parquet"):
        load_run(tmp_path)


def test_a_run_that_was_cut_off_still_has_its_history(tmp_path: Path) -> None:
    history = crash()
    save(tmp_path, concluded(history), history)
    (tmp_path / "result.json").unlink()
    assert len(load_frames(tmp_path).ops) == len(history.ops)


def test_a_file_in_the_way_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("not a folder")
    history = crash()
    with pytest.raises(UsageError, match=r"^Cannot write the run to .*: Not a directory\. Choose another place\.$"):
        new_run_dir(tmp_path / "runs", "a/b", 7, AT)
    with pytest.raises(HarnessError, match=r"^Cannot write the run to .*: Not a directory\. Choose another place\.$"):
        save(tmp_path / "runs" / "a", concluded(history), history)


def test_a_disk_that_takes_no_more_is_one_line_and_leaves_no_result(tmp_path: Path) -> None:
    history = crash()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))
    try:
        with pytest.raises(HarnessError) as caught:
            save(tmp_path, concluded(history), history)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert "Cannot write the run to" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "result.json").exists()
