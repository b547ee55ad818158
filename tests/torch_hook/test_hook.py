"""The hook in a script's processes: it does nothing outside a drill, and records steps in one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import distributed
from torch._C._distributed_c10d import HashStore
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.tensor import DTensor, Shard, distribute_tensor
from torch.optim import optimizer as optimizers

import torch_drills
from harness.cluster.script.journals import Journals
from torch_drills.fingerprint import Fingerprint
from torch_drills.gates import Gates
from torch_drills.joining import MOST_RANKS
from torch_drills.journal import Journal
from torch_drills.links import FILE, Links, host_of, rank_at
from torch_drills.step_journal import StepJournal


def test_import_torch_calls_the_hook() -> None:
    assert ("torch_drills", "torch_drills:autoload") in {
        (found.name, found.value) for found in entry_points(group="torch.backends")
    }


def test_outside_of_a_drill_nothing_is_imported_and_nothing_done() -> None:
    code = (
        "import sys; before = set(sys.modules); import torch_drills; torch_drills.autoload();"
        "print(sorted(set(sys.modules) - before))"
    )
    environment = {name: value for name, value in os.environ.items() if name != torch_drills.FOLDER}
    run = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "['torch_drills']"


def test_a_hook_that_fails_says_so_and_raises_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(torch_drills.FOLDER, "/nowhere")
    monkeypatch.setattr("torch_drills.hook.install", lambda folder: 1 / 0)
    torch_drills.autoload()
    assert "this process has no link faults and records no steps: ZeroDivisionError" in capsys.readouterr().err


@pytest.mark.parametrize("rank", [0, 1, MOST_RANKS - 1])
def test_the_address_of_a_rank_tells_its_number(rank: int) -> None:
    assert rank_at(host_of(rank)) == rank


@pytest.mark.parametrize("host", ["127.0.0.1", "10.0.1.254", host_of(MOST_RANKS)])
def test_other_addresses_are_no_ranks(host: str) -> None:
    assert rank_at(host) is None


def test_a_group_that_grows_is_not_made_to_wait_for_links(tmp_path: Path) -> None:
    """As if a script trained with one rank, and then with two."""
    (tmp_path / FILE).write_text(json.dumps({"world": 1, "plane": ["127.0.0.1", 1], "links": {}}))
    began_s = time.monotonic()
    with pytest.raises(ValueError, match="2 ranks; there were 1 when the harness answered"):
        Links(str(tmp_path), Journal(str(tmp_path)), rank=0, world=2)
    assert time.monotonic() - began_s < 5


def test_more_ranks_than_the_harness_takes_are_told_with_their_number(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="65 ranks; the harness takes 64 at most"):
        Links(str(tmp_path), Journal(str(tmp_path)), rank=3, world=MOST_RANKS + 1)
    journals = Journals(tmp_path)
    journals.read()
    assert journals.world == MOST_RANKS + 1


def model(seed: int) -> torch.nn.Module:
    torch.manual_seed(seed)
    return torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Linear(4, 2))


def test_equal_models_have_one_fingerprint_and_a_step_changes_it() -> None:
    one, other = model(1), model(1)
    optimizer = torch.optim.SGD(one.parameters(), 0.1)
    fingerprint, others = Fingerprint(optimizer), Fingerprint(torch.optim.SGD(other.parameters(), 0.1))
    before = fingerprint.take()
    assert before == others.take()
    one(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    assert fingerprint.take() != before
    other.load_state_dict(one.state_dict())
    assert fingerprint.take() == others.take()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64, torch.complex64])
def test_numbers_of_any_type_have_a_fingerprint_that_a_step_changes(dtype: torch.dtype) -> None:
    parameter, single = (torch.nn.Parameter(torch.ones(4, dtype=one)) for one in (dtype, torch.float32))
    optimizer = torch.optim.SGD([parameter, single], 0.1)
    fingerprint = Fingerprint(optimizer)
    before = fingerprint.take()
    parameter.grad = torch.ones_like(parameter)
    optimizer.step()
    assert fingerprint.take() != before


def test_a_shard_of_a_parameter_has_a_fingerprint() -> None:
    """As in FSDP2, whose parameters are DTensors."""
    distributed.init_process_group("gloo", store=HashStore(), rank=0, world_size=1)
    try:
        mesh = init_device_mesh("cpu", (1,))
        parameter = torch.nn.Parameter(distribute_tensor(torch.ones(4, 3), mesh, [Shard(0)]))
        optimizer = torch.optim.SGD([parameter], 0.1)
        fingerprint, whole = Fingerprint(optimizer), Fingerprint(torch.optim.SGD([torch.nn.Parameter(torch.ones(4, 3))], 0.1))
        assert fingerprint.take() == whole.take()
        parameter.grad = torch.ones_like(parameter)
        optimizer.step()
        assert fingerprint.take() not in {"", whole.take()}
        assert not fingerprint.of_a_part
        half = DTensor.from_local(torch.ones(2, 3), mesh, [Shard(0)], shape=torch.Size((4, 3)), stride=(3, 1))
        assert Fingerprint(torch.optim.SGD([torch.nn.Parameter(half)], 0.1)).of_a_part
    finally:
        distributed.destroy_process_group()


def test_a_parameter_that_is_replaced_is_followed() -> None:
    one = model(1)
    fingerprint = Fingerprint(torch.optim.SGD(one.parameters(), 0.1))
    before = fingerprint.take()
    for parameter in one.parameters():
        parameter.data = parameter.data + 1
    assert fingerprint.take() != before


Written = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Written:
    """Lets a step journal follow all optimizers that are used in the test; returns what tells the lines that it has written."""
    monkeypatch.setattr(optimizers, "_global_optimizer_pre_hooks", type(optimizers._global_optimizer_pre_hooks)())
    monkeypatch.setattr(optimizers, "_global_optimizer_post_hooks", type(optimizers._global_optimizer_post_hooks)())
    StepJournal(Journal(str(tmp_path)), Gates(str(tmp_path)))
    return lambda: [json.loads(line) for line in (tmp_path / f"{os.getpid()}.jsonl").read_text().splitlines()]


def test_steps_are_those_of_the_first_optimizer(written: Written) -> None:
    generator, critic = (torch.optim.SGD(model(seed).parameters(), 0.1) for seed in (1, 2))
    for _ in range(3):
        generator.step()
        critic.step()
    lines = written()
    assert [line["kind"] for line in lines] == ["began", "step", "step", "step"]
    assert [line["step"] for line in lines[1:]] == [0, 1, 2]
    assert lines[0]["backend"] == ""
    ends = [line["at_ns"] for line in lines[1:]]
    assert [line["begun_ns"] for line in lines[2:]] <= ends


def test_steps_that_can_no_longer_be_counted_are_told(written: Written, monkeypatch: pytest.MonkeyPatch) -> None:
    optimizer = torch.optim.SGD(model(1).parameters(), 0.1)
    optimizer.step()
    monkeypatch.setattr(Fingerprint, "take", lambda self: 1 / 0)
    for _ in range(3):
        optimizer.step()
    lines = written()
    assert [line["kind"] for line in lines] == ["began", "step", "not counted"]
    assert lines[-1]["why"] == "ZeroDivisionError('division by zero')"


def test_steps_that_are_captured_in_a_cuda_graph_are_told(written: Written, monkeypatch: pytest.MonkeyPatch) -> None:
    optimizer = torch.optim.SGD(model(1).parameters(), 0.1)
    optimizer.step()  # the warm-up before the capture
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_current_stream_capturing", lambda: True)
    optimizer.step()
    lines = written()
    assert [line["kind"] for line in lines] == ["began", "step", "not counted"]
    assert "captures its steps in a CUDA graph" in lines[-1]["why"]


def test_an_optimizer_that_is_made_anew_loses_no_step(written: Written) -> None:
    trained = model(1)
    for parameter in trained.parameters():
        parameter.grad = torch.ones_like(parameter)
    for _ in range(3):
        optimizer = torch.optim.SGD(trained.parameters(), 0.1)
        for _ in range(4):
            optimizer.step()
    lines = written()
    steps = [line for line in lines if line["kind"] == "step"]
    assert [line["step"] for line in steps] == list(range(12))
    assert len({line["parameters"] for line in steps}) == 12
    ends = [line["at_ns"] for line in steps]
    assert ends == sorted(ends)
    assert [line["begun_ns"] for line in steps[1:]] == ends[:-1]


def test_an_optimizer_that_is_made_anew_for_every_step_is_counted(written: Written) -> None:
    trained = model(1)
    for parameter in trained.parameters():
        parameter.grad = torch.ones_like(parameter)
    for _ in range(9):
        torch.optim.SGD(trained.parameters(), 0.1).step()
    lines = written()
    steps = [line for line in lines if line["kind"] == "step"]
    assert [line["step"] for line in steps] == list(range(8)), "whether the ninth counts is known with the tenth"
    assert len({line["parameters"] for line in steps}) == 8


@pytest.mark.parametrize("asked", [None, "gloo", "cpu:gloo"])
@pytest.mark.usefixtures("written")
def test_the_backend_is_that_of_the_parameters_device(tmp_path: Path, asked: str | None) -> None:
    """`init_process_group()` names none, and torch then calls it undefined."""
    distributed.init_process_group(asked, store=HashStore(), rank=0, world_size=1)
    try:
        torch.optim.SGD(model(1).parameters(), 0.1).step()
    finally:
        distributed.destroy_process_group()
    [began, _] = (json.loads(line) for line in (tmp_path / f"{os.getpid()}.jsonl").read_text().splitlines())
    assert began["backend"] == "gloo"


def test_an_optimizer_that_takes_over_is_counted(written: Written) -> None:
    first, second = (torch.optim.SGD(model(seed).parameters(), 0.1) for seed in (1, 2))
    for optimizer in (first, first, second, second, second):
        optimizer.step()
    kinds = [line["kind"] for line in written()]
    assert kinds.count("step") == 4
