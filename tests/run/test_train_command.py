"""`harness train`: its results for scripts that survive, that fail, and that make no sense; and no process outlives it."""

from __future__ import annotations

import errno
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec
import psutil
import pytest

from harness.cli import main
from harness.model.errors import cannot_write
from results.record.train_result import TrainResult
from tests.helpers.effort import left_to_ci
from tests.helpers.machines import need_hosts

ROOT = Path(__file__).parent.parent.parent
FAKE = (sys.executable, str(Path(__file__).parent / "fake_ranks.py"))
ENVIRONMENT = {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1"}
TORCHRUN = (sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2")
EXAMPLE = str(ROOT / "examples" / "train.py")


@dataclass(frozen=True, kw_only=True)
class Trained:
    """The result of one run of the command."""

    code: int
    said: str
    folder: Path

    @property
    def result(self) -> TrainResult:
        [file] = self.folder.glob("train/*/train.json")
        return msgspec.json.decode(file.read_bytes(), type=TrainResult)

    def check(self, name: str) -> tuple[bool | None, str]:
        [found] = [check for check in self.result.checks if check.name == name]
        return found.valid, found.why


@pytest.fixture
def train(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Trained]:
    """Runs `harness train` in this process."""
    monkeypatch.chdir(tmp_path)
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)

    def run(*options: str, command: tuple[str, ...], runs: str = "runs") -> Trained:
        code = main.run(["train", "--runs", runs, "--seed", "1", *options, "--", *command])
        said = capsys.readouterr()
        assert left_of(tmp_path) == [], "processes outlived the run"
        return Trained(code=code, said=said.out + said.err, folder=tmp_path / runs)

    return run


def left_of(folder: Path) -> list[list[str]]:
    """The processes of a folder's runs that still run, found by their environment."""
    left = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("HARNESS_RUN", "").startswith(str(folder)) and process.status() != psutil.STATUS_ZOMBIE:
                left.append(process.cmdline())
        except psutil.Error:
            continue
    return left


@pytest.mark.slow
def test_a_script_that_is_started_again_replays_what_it_lost(train: Callable[..., Trained]) -> None:
    run = train("--fault", 'Kill("rank1").at_step(50)', "--slo", "lost_steps < 60", command=(*FAKE, "2", "90", "again"))
    assert run.code == 0, run.said
    assert run.result.metrics.steps == 90
    assert run.result.faults[0].evidence.startswith("began with 50 steps done; rank1 pid")
    assert 0 <= run.result.metrics.lost_steps == run.result.metrics.replayed_steps == run.result.metrics.replayed_equal <= 40
    assert run.result.metrics.goodput is not None
    assert 0 < run.result.metrics.goodput < 1
    [phases] = run.result.phases
    times = (phases.restarted_s, phases.joined_s, phases.first_step_s, phases.caught_up_s)
    assert sorted(filter(None, times)) == list(times)
    [page] = run.folder.glob("train/*/report.html")
    first = page.read_text()
    assert "How it recovered from each fault" in first
    assert main.run(["report", str(page.parent)]) == 0
    assert len(page.read_text()) == len(first)
    assert "Kill on rank1" in run.said


def test_a_script_that_dies_of_it_fails(train: Callable[..., Trained]) -> None:
    run = train("--fault", 'Kill("rank0").at_step(20)', command=(*FAKE, "2", "200"))
    assert run.code == 1, run.said
    assert run.check("finished")[0] is False
    assert run.check("no_orphans") == (True, "no rank outlived the command for 3 s")


@pytest.mark.slow
def test_a_rank_that_torch_aborts_as_python_ends_is_told_how_to_end(train: Callable[..., Trained]) -> None:
    run = train(command=(*FAKE, "2", "20", "abort"))
    assert run.code == 1, run.said
    assert "call gc.collect() before destroy_process_group()" in run.check("finished")[1]


@pytest.mark.slow
def test_a_rank_that_trains_on_without_its_launcher_is_an_orphan(train: Callable[..., Trained]) -> None:
    run = train("--fault", 'Kill("launcher").at_step(20)', command=(*FAKE, "2", "2000"))
    assert run.code == 1, run.said
    valid, why = run.check("no_orphans")
    assert valid is False
    assert why.count("ran on and did") == 2


@pytest.mark.slow
def test_steps_after_the_launchers_end_count_no_more_than_the_time_that_they_took(train: Callable[..., Trained]) -> None:
    run = train("--fault", 'Kill("launcher").at_step(30)', command=(*FAKE, "2", "200"))
    assert run.code == 1, run.said
    assert run.result.metrics.ettr is not None
    assert run.result.metrics.ettr < 1


@pytest.mark.slow
def test_ranks_that_come_to_differ_fail(train: Callable[..., Trained]) -> None:
    run = train(command=(*FAKE, "3", "40", "differ"))
    assert run.code == 1, run.said
    assert run.check("replicas_agree") == (False, "after step 30 the parameters differ: rank1 from the others")


@pytest.mark.slow
def test_steps_that_cannot_be_counted_leave_the_run_unknown(train: Callable[..., Trained]) -> None:
    run = train("--fault", 'Kill("rank1").at_step(30)', command=(*FAKE, "2", "60", "again", "unplaced"))
    assert run.code == 4, run.said
    assert "began with parameters that no rank had before" in run.check("steps_known")[1]


@pytest.mark.slow
def test_steps_that_are_no_longer_counted_leave_the_run_unknown(train: Callable[..., Trained]) -> None:
    run = train("--stall", "0.5", command=(*FAKE, "2", "60", "uncounted=30", "hang=1"))
    assert run.code == 4, run.said
    assert "only the first 30 were counted: as asked" in run.check("steps_known")[1]


@pytest.mark.slow
def test_a_group_that_grows_leaves_the_run_unknown(train: Callable[..., Trained]) -> None:
    run = train("--fault", 'Kill("rank1").at_step(30)', command=(*FAKE, "2", "60", "again", "grow"))
    assert run.code == 4, run.said
    assert "began with 2 ranks and later had 3" in run.check("steps_known")[1]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fault", "why"),
    [
        ('Kill("rank1").at_step(500)', "step 500 was never reached: 30 steps were done"),
        ('Kill("rank1").between(500, 501)', r"the run ended after [\d.]+ s, before this began"),
    ],
)
def test_a_fault_that_never_began_leaves_the_run_unknown(train: Callable[..., Trained], fault: str, why: str) -> None:
    run = train("--fault", fault, command=(*FAKE, "2", "30"))
    assert run.code == 4, run.said
    assert re.search(why, run.check("faults_acted")[1])


@pytest.mark.slow
def test_a_training_that_stands_still_is_ended(train: Callable[..., Trained]) -> None:
    run = train("--stall", "0.5", command=(*FAKE, "2", "20", "hang=60"))
    assert run.code == 1, run.said
    assert "no rank made any more steps" in run.check("finished")[1]


def test_a_training_that_a_fault_still_keeps_from_going_on_is_not_known_to_stand_still(train: Callable[..., Trained]) -> None:
    run = train("--stall", "0.5", "--fault", 'Pause("all").at_step(20, for_s=60)', command=(*FAKE, "2", "80"))
    assert run.code == 4, run.said
    valid, why = run.check("finished")
    assert (valid, "no rank made any more steps while a fault held" in why) == (None, True), why


def test_a_pause_is_seen_and_ends(train: Callable[..., Trained]) -> None:
    run = train("--fault", 'Pause("rank1").at_step(20, for_s=0.3)', command=(*FAKE, "2", "80"))
    assert run.code == 0, run.said
    assert run.result.metrics.steps == 80
    [fault] = run.result.faults
    assert "rank1 was stopped until the end" in fault.evidence


@pytest.mark.slow
def test_ranks_in_namespaces_lose_packets_whatever_their_backend(train: Callable[..., Trained]) -> None:
    need_hosts()
    faults = ("--fault", 'CutPackets("rank2>rank0", direction="out").between_steps(20, 40)')
    run = train("--namespaces", *faults, command=(*FAKE, "3", "60", "nccl"))
    assert run.code == 0, run.said
    assert "--namespaces" in run.result.rerun
    [fault] = run.result.faults
    assert "packets: " in fault.evidence
    assert "from rank2 to rank0" in fault.evidence
    sent = {link.link: (link.received_bytes, link.sent_bytes) for link in run.result.links}
    whole, cut = sent["rank0>rank2"], sent["rank2>rank0"]
    assert whole[0] == whole[1] > 60 * 100
    assert cut[0] > cut[1] > 0
    assert run.result.metrics.bytes_per_step is not None
    assert run.result.metrics.bytes_per_step > 5 * 100
    assert {link.connections for link in run.result.links} == {None}


@pytest.mark.slow
def test_a_fault_after_the_last_step_leaves_its_recovery_unknown(train: Callable[..., Trained]) -> None:
    """The script evaluates for a while after it has trained: no step was left to be made, so none was late."""
    fault = ("--fault", 'Pause("rank1").at_step(30, for_s=0.1)', "--slo", "recovery < 1s")
    run = train(*fault, command=(*FAKE, "2", "30", "hang=2"))
    assert run.code == 4, run.said
    [slo] = run.result.slos
    assert slo.ok is None, slo.why


@pytest.mark.parametrize(
    ("options", "command", "code", "said"),
    [
        ((), (), 2, "needs a command after --"),
        ((), ("no-such-torchrun",), 2, "There is no program 'no-such-torchrun' on PATH"),
        (("--slo", "godput >= 90%"), FAKE, 2, "did you mean 'goodput'"),
        (("--fault", "Kill(rank1)"), FAKE, 2, "does not say when"),
        ((), (sys.executable, "-c", "print('nothing')"), 2, "was a rank that imported torch with the hook"),
        ((), (sys.executable, "-c", "raise SystemExit(3)"), 4, "ended with exit code 3 before its first step"),
        left_to_ci((), (sys.executable, "-c", "exit('bind: EADDRINUSE, address already in use')"), 2, "is in use"),
        left_to_ci((), (*FAKE, "2", "9", "silent"), 2, "If it went on from a snapshot of a finished training, remove that"),
        left_to_ci((), (*FAKE, "2", "9", "alone"), 2, "steps without torch.distributed"),
        left_to_ci((), (*FAKE, "2", "9", "uncounted=0"), 2, "cannot be counted: as asked"),
        left_to_ci((), (*FAKE, "65", "9"), 2, "has 65 ranks; `harness train` takes 64 at most"),
        left_to_ci(("--start-timeout", "3"), (*FAKE, "2", "9", "deaf"), 4, "rank0 of 2 ranks never appeared; rank1 did"),
        left_to_ci(
            ("--fault", 'Kill("rank7").at_step(1)'), (*FAKE, "2", "9"), 2, "There is no 'rank7': the script has 2 ranks"
        ),
        left_to_ci(("--fault", 'Stall("rank1>rank0").at_step(1)'), (*FAKE, "2", "9"), 2, "Use 'rank0>rank1'"),
        left_to_ci(
            ("--fault", 'Stall("rank0>rank1").at_step(1)'), (*FAKE, "2", "9", "nccl"), 2, "the script's backend is 'nccl'"
        ),
        left_to_ci(("--fault", 'Kill("store").at_step(1)'), (*FAKE, "2", "9"), 2, "the store is no process of its own"),
        (
            ("--fault", 'FlipBits("rank0").at_step(1)'),
            (*FAKE, "2", "9"),
            2,
            "does not control a script's files. Use a fault on",
        ),
        (("--fault", 'ClockSkew("rank0").between(1, 2)'), (*FAKE, "2", "9"), 2, "does not control a script's clock"),
        (
            ("--fault", 'Blackhole("rank0").at_step(1)'),
            (*FAKE, "2", "9"),
            2,
            "the ranks share one network. Give --namespaces, or use Isolate",
        ),
        (
            ("--namespaces", "--fault", 'Latency("rank0>rank1").at_step(1)'),
            (*FAKE, "2", "9"),
            2,
            "Latency acts on proxies, and nodes in network namespaces call each other directly. Use Blackhole",
        ),
        left_to_ci(
            ("--namespaces", "--fault", 'CutPackets("rank1>store").at_step(1)'),
            (*FAKE, "2", "9"),
            2,
            "with --namespaces the store is a part of rank0, or of 'launcher'",
        ),
        left_to_ci(
            ("--namespaces",), (*FAKE, "2", "9", "unled"), 4, "is on no host of its own: as asked. Leave --namespaces out"
        ),
    ],
)
def test_what_makes_no_sense_gets_one_clear_line(
    train: Callable[..., Trained], options: tuple[str, ...], command: tuple[str, ...], code: int, said: str
) -> None:
    if "--namespaces" in options:
        need_hosts()
    run = train(*options, command=command)
    assert said in run.said
    assert run.code == code
    assert "Traceback" not in run.said


@pytest.mark.slow
def test_a_disk_that_is_full_at_the_end_leaves_the_verdict_on_the_terminal(
    train: Callable[..., Trained], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: bytes, file: Path) -> None:
        raise cannot_write(str(file), OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))

    monkeypatch.setattr("harness.cli.train.put", full)
    run = train(command=(*FAKE, "2", "9"))
    assert run.code == 70
    assert run.said.startswith("✔ Pass. the script finished.")
    assert "train.json: No space left on device. Free space there" in run.said.splitlines()[-1]


def test_a_machine_without_namespaces_is_told_before_the_start(
    train: Callable[..., Trained], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.cli.train.missing_for_namespaces", lambda: "Network namespaces do not work here: as asked.")
    run = train("--namespaces", command=(*FAKE, "2", "9"))
    assert run.code == 2
    assert "do not work here: as asked" in run.said


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_nothing_outlives_the_harness(tmp_path: Path, number: signal.Signals) -> None:
    command = (*FAKE, "2", "100000")
    words = [sys.executable, "-m", "harness.cli", "train", "--runs", str(tmp_path), "--", *command]
    with subprocess.Popen(words, env={**os.environ, **ENVIRONMENT}, cwd=tmp_path, stderr=subprocess.DEVNULL) as run:
        deadline_s = time.monotonic() + 30
        while not any(b'"step"' in file.read_bytes() for file in tmp_path.glob("train/*/ranks/*.jsonl")):
            assert time.monotonic() < deadline_s
            time.sleep(0.01)
        assert left_of(tmp_path)
        run.send_signal(number)
        run.wait()
    while left := left_of(tmp_path):
        assert time.monotonic() < deadline_s + 15, left
        time.sleep(0.01)


@pytest.mark.slow
def test_a_script_of_torchrun_goes_over_the_links_unedited(train: Callable[..., Trained]) -> None:
    """The only test here that starts torch: a slow link, every step counted, and equal models at all ranks."""
    fault = 'Latency("rank0>rank1", delay_ms=20).between_steps(30, 40)'
    run = train("--fault", fault, command=(*TORCHRUN, EXAMPLE, "--epochs", "2"))
    assert run.code == 0, run.said
    assert run.result.metrics.steps == 58
    assert run.result.faults[0].evidence.startswith("began with 30 steps done")
    assert run.check("replicas_agree")[0] is True
    assert run.result.metrics.bytes_per_step is not None
    assert run.result.metrics.bytes_per_step > 4 * 9610
    links = {link.link: link for link in run.result.links}
    assert links["rank0>rank1"].connections
    assert links["rank1>store"].sent_bytes > 0


@pytest.mark.slow
def test_a_script_of_torchrun_trains_across_namespaces_unedited(
    train: Callable[..., Trained], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The launcher keeps the store. The device that its user chose is the machine's own, and gloo must not take it."""
    need_hosts()
    monkeypatch.setenv("GLOO_SOCKET_IFNAME", "lo")
    monkeypatch.setenv("TORCH_DISABLE_SHARE_RDZV_TCP_STORE", "0")
    fault = 'RateLimit("rank1", kbit_per_s=20000).between_steps(30, 40)'
    run = train("--namespaces", "--fault", fault, command=(*TORCHRUN, EXAMPLE, "--epochs", "2"))
    assert run.code == 0, run.said
    assert run.result.metrics.steps == 58
    assert run.check("replicas_agree")[0] is True
    assert run.result.metrics.bytes_per_step is not None
    assert run.result.metrics.bytes_per_step > 4 * 9610
    assert {link.link: link for link in run.result.links}["rank1>launcher"].sent_bytes > 0


@pytest.mark.nightly
def test_a_script_of_torchrun_is_killed_and_comes_back(train: Callable[..., Trained]) -> None:
    command = (*TORCHRUN, "--max-restarts=2", EXAMPLE, "--epochs", "4")
    run = train("--fault", 'Kill("rank1").at_step(70)', command=command)
    assert run.code == 0, run.said
    assert run.result.metrics.steps == 116
    assert run.result.metrics.replayed_equal == run.result.metrics.replayed_steps == run.result.metrics.lost_steps > 0


@pytest.mark.nightly
def test_where_torch_does_not_load_the_hook_it_is_run_by_name(train: Callable[..., Trained]) -> None:
    command = ("env", "TORCH_DEVICE_BACKEND_AUTOLOAD=0", *TORCHRUN)
    run = train(command=(*command, EXAMPLE, "--epochs", "1"))
    assert run.code == 2
    assert "run `-m torch_drills SCRIPT`" in run.said
    run = train(runs="second", command=(*command, "-m", "torch_drills", EXAMPLE, "--epochs", "1", "--snapshot", "second.pt"))
    assert run.code == 0, run.said
    assert run.result.metrics.steps == 29


@pytest.mark.nightly
def test_a_port_that_is_taken_is_named(train: Callable[..., Trained]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        torchrun = (sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2", f"--master-port={port}", EXAMPLE)
        run = train(command=torchrun)
    assert run.code == 2, run.said
    assert "is in use" in run.said
