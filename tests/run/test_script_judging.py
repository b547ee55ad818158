"""Judging a training script from the record of its run."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from harness.cli import main
from harness.model.environment import LinkCounters
from harness.model.fault_window import FaultWindow
from harness.model.rank_process import RankProcess
from harness.run.script_judging import conclude
from harness.run.script_spec import ScriptRecord, ScriptSpec
from results.record.train_result import TRAIN_RESULT, TrainResult, encode
from tests.helpers.ranks import MS, models, process

FIRST_MS = 100
"""When the first step began."""


def concluded(
    processes: Sequence[RankProcess],
    *windows: FaultWindow,
    slos: tuple[str, ...] = (),
    ranks: int = 2,
    links: dict[str, int] | None = None,
    exit_code: int = 0,
    launcher_gone_ms: int | None = None,
) -> TrainResult:
    """The result of a script that ended by itself. `links` are the bytes that each sent."""
    end_ns = max(step.done_ns for one in processes for step in one.steps)
    spec = ScriptSpec(
        command=("torchrun", "train.py"), faults=(), fault_texts=(), slos=slos, seed=1, plane="embedded"
    )  # fmt: skip
    counted = {name: LinkCounters(sent_bytes={"upstream": sent}, connections=1) for name, sent in (links or {}).items()}
    record = ScriptRecord(
        ranks=ranks, processes=processes, windows=windows, links=counted, started_ns=0, first_ns=FIRST_MS * MS,
        ended_ns=end_ns, ended="by itself", exit_code=exit_code,
        launcher_gone_ns=end_ns if launcher_gone_ms is None else launcher_gone_ms * MS, orphans=(), cause="",
        aborted_at_exit=False,
    )  # fmt: skip
    return conclude(spec, record, datetime(2026, 1, 1, tzinfo=UTC), 1.0)


def window(label: str, kind: str, target: str, at_ms: int, healed_ms: int) -> FaultWindow:
    """A fault that acted."""
    injected_s, healed_s = (at_ms - FIRST_MS) / 1000, (healed_ms - FIRST_MS) / 1000
    return FaultWindow(
        kind=kind, label=label, selector=target, targets=(target,), from_s=injected_s, to_s=healed_s, injected_s=injected_s,
        healed_s=healed_s, acted=True,
    )  # fmt: skip


def test_a_restart_after_a_later_fault_is_no_late_recovery_from_an_earlier_one() -> None:
    """A link is slow for 50 ms, in which the ranks go on; much later one is killed, and they are back after two seconds."""
    found = [
        *(process(rank, 10 + rank, 100, "m0", models(0, 900), gone_ms=9110 - 10 * rank) for rank in (0, 1)),
        *(process(rank, 20 + rank, 11_000, "m880", models(880, 1000)) for rank in (0, 1)),
    ]
    faults = (window("w0", "Latency", "rank0>rank1", 245, 295), window("w1", "Kill", "rank1", 9095, 9096))
    result = concluded(found, *faults, slos=("recovery < 3s",))
    assert [slo.ok for slo in result.slos] == [True], result.why
    assert [round(one.seconds, 3) for one in result.recoveries] == [0.015, 1.915]


def test_a_launcher_that_is_killed_has_not_noticed_that() -> None:
    found = [process(rank, 10 + rank, 100, "m0", models(0, 30), gone_ms=1400 + rank) for rank in (0, 1)]
    killed = window("w0", "Kill", "launcher", 300, 301)
    [phases] = concluded(found, killed, exit_code=-9, launcher_gone_ms=305).phases
    assert phases.noticed_s == 1.1
    [phases] = concluded(found, window("w0", "Kill", "rank0", 300, 301), exit_code=1, launcher_gone_ms=1350).phases
    assert phases.noticed_s == 1.05


def test_bytes_that_did_not_cross_the_fault_plane_are_not_known_to_be_none() -> None:
    """Of NCCL, a lone rank, and a connection that does not go over its link."""
    gloo, nccl, unled = ([process(rank, 10 + rank, 100, "m0", models(0, 30)) for rank in (0, 1)] for _ in range(3))
    for one in nccl:
        one.backend = "nccl"
    unled[1].not_led.append("the store did not answer")
    between, alone = {"rank0>rank1": 30_000, "rank1>store": 70}, {"rank0>store": 70}
    assert concluded(gloo, links=between).metrics.bytes_per_step == 1000
    for found, links in ((nccl, between), (unled, between), (gloo[:1], alone)):
        result = concluded(found, ranks=len(found), links=links, slos=("bytes_per_step < 1MB",))
        assert (result.metrics.bytes_per_step, result.verdict) == (None, "unknown")


def check(result: TrainResult, name: str) -> tuple[bool | None, str]:
    [found] = [one for one in result.checks if one.name == name]
    return found.valid, found.why


def test_ranks_that_come_to_differ_after_a_restart_fail_although_one_has_no_optimizer() -> None:
    found = [
        *(process(rank, 10 + rank, 100, "m0", models(0, 30), world=3) for rank in (0, 1)),
        process(0, 20, 1400, "m20", models(20, 40), world=3),
        process(1, 21, 1400, "m20", [*models(20, 34), *(["x"] * 6)], world=3),
        RankProcess(pid=12, rank=2, world=3, joined_ns=1, backend="gloo"),
    ]
    assert check(concluded(found, ranks=3), "replicas_agree") == (
        False, "after step 34 the parameters differ: the ranks from each other"
    )  # fmt: skip


def test_ranks_that_each_hold_a_part_of_the_model_are_not_compared() -> None:
    parts = [process(rank, 10 + rank, 100, f"{rank}0", [f"{rank}{n}" for n in range(1, 9)]) for rank in (0, 1)]
    assert "replicas_agree" not in {one.name for one in concluded(parts).checks}


def by_themselves(*, agree_at: int | None = None, part: bool = False) -> list[RankProcess]:
    """Two ranks with one model at first, of which each does its own steps, but for one step after which they agree."""
    each = [[f"{rank}{n}" if n != agree_at else "mean" for n in range(9)] for rank in (0, 1)]
    found = [process(rank, 10 + rank, 100, "m0", after) for rank, after in enumerate(each)]
    for one in found:
        one.part = part
    return found


def test_ranks_that_never_heard_of_each_other_are_not_known_to_be_right() -> None:
    """As of a script that forgot DistributedDataParallel."""
    result = concluded(by_themselves())
    assert result.verdict == "unknown"
    assert "each rank holds a part of the model, or trains by itself" in check(result, "replicas_agree")[1]


def test_ranks_that_average_now_and_then_or_hold_parts_are_not_compared() -> None:
    for found in (by_themselves(agree_at=5), by_themselves(part=True)):
        result = concluded(found)
        assert (result.verdict, "replicas_agree" in {one.name for one in result.checks}) == ("pass", False)


def test_the_page_of_a_kept_run_needs_no_output_and_no_journals(tmp_path: Path) -> None:
    (tmp_path / TRAIN_RESULT).write_bytes(encode(concluded([process(0, 10, 100, "m0", models(0, 30))], ranks=1)))
    assert main.run(["report", str(tmp_path), "--out", str(tmp_path / "report.html")]) == 0
    assert "1 ranks, 30 steps that stand" in (tmp_path / "report.html").read_text()


@pytest.mark.parametrize("line", ["junk", '{"kind":"step","pid":9}'])
def test_a_broken_journal_of_a_kept_run_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str], line: str) -> None:
    (tmp_path / TRAIN_RESULT).write_bytes(encode(concluded([process(0, 10, 100, "m0", models(0, 30))], ranks=1)))
    (tmp_path / "ranks").mkdir()
    (tmp_path / "ranks" / "9.jsonl").write_text(f"{line}\n")
    assert main.run(["report", str(tmp_path), "--out", str(tmp_path / "report.html")]) == 2
    said = capsys.readouterr().err
    assert (said.count("\n"), "9.jsonl is not the journal of a rank: " in said) == (1, True), said
