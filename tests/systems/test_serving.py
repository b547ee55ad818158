"""Serving and Predictions as a drill sees them: topology, settings, calls; and light modules import nothing heavy."""

from __future__ import annotations

import itertools
import subprocess
import sys
from pathlib import Path
from random import Random

import msgspec
import pytest

from harness.model.codec import describe, restore
from harness.model.errors import UsageError
from harness.model.system import HasPreload, HasPrepare, HasRequirements, System, links_of
from systems.serving import BUGS, Serving, artifacts
from workloads.predictions import Predictions


def test_is_a_system_with_its_capabilities() -> None:
    for kind in (System, HasPreload, HasPrepare, HasRequirements):
        assert isinstance(Serving(), kind)


def test_one_balancer_in_front_of_the_replicas() -> None:
    nodes = {node.name: node for node in Serving(replicas=4).nodes()}
    assert list(nodes) == ["r1", "r2", "r3", "r4", "balancer"]
    assert [name for name, node in nodes.items() if node.replica] == ["r1", "r2", "r3", "r4"]
    links = [link.name for link in links_of(Serving(replicas=4))]
    assert links == ["client>balancer", "balancer>r1", "balancer>r2", "balancer>r3", "balancer>r4"]


def test_only_the_last_replica_has_the_older_model() -> None:
    weights = [node.config.get("weights") for node in Serving(replicas=3, bug="stale-model").nodes()]
    assert weights == [artifacts.WEIGHTS, artifacts.WEIGHTS, artifacts.STALE_WEIGHTS, None]


@pytest.mark.parametrize("bug", [None, *BUGS])
def test_travels_as_json(bug: str | None) -> None:
    system = Serving(replicas=2, bug=bug)
    assert restore(describe(system)) == system
    for node in system.nodes():
        assert msgspec.json.decode(msgspec.json.encode(node.config)) == node.config


@pytest.mark.parametrize("replicas", [0, -1])
def test_refuses_less_than_one_replica(replicas: int) -> None:
    with pytest.raises(UsageError, match=f"replicas={replicas}.*at least one"):
        Serving(replicas=replicas)


def test_a_mistyped_bug_is_guessed() -> None:
    with pytest.raises(UsageError) as caught:
        Serving(bug="stale-modle")
    assert str(caught.value) == "No bug called 'stale-modle'. Did you mean 'stale-model'?"


def test_an_unknown_bug_gets_the_catalogue() -> None:
    with pytest.raises(UsageError) as caught:
        Serving(bug="quark")
    assert str(caught.value).endswith(f"There are: {', '.join(BUGS)}.")


def test_the_same_seed_asks_the_same() -> None:
    Serving().prepare()
    first, again, other = (list(itertools.islice(Predictions().calls(Random(seed)), 500)) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_every_call_knows_its_answer_and_none_carries_the_image() -> None:
    Serving().prepare()
    digits = artifacts.digits(artifacts.folder())
    calls = list(itertools.islice(Predictions().calls(Random(3)), 20_000))
    assert {call.kind for call in calls} == {"predict"}
    assert {int(call.key) for call in calls} == set(range(len(digits)))
    assert all(call.value is None for call in calls)
    for call in calls[:200]:
        answer = digits[int(call.key)].answer
        assert call.expected == f'{{"label":{answer.label},"score":{answer.score}}}'


def test_calls_before_anything_was_prepared_say_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(UsageError, match=r"Call Serving\(\).prepare\(\) first"):
        next(Predictions().calls(Random(1)))


@pytest.mark.slow
def test_torch_stays_out_of_balancer_generator_and_catalogue() -> None:
    """Importing PyTorch costs seconds and 200 MB: only replicas and the training may."""
    code = """
import sys
import harness.run.catalog, systems.serving.balancer, workloads.load.generator
from systems.serving import Serving
from workloads.predictions import Predictions
harness.run.catalog.systems(); harness.run.catalog.workloads()
Serving().prepare(); Serving().nodes(); Serving().client(0, {"balancer": ("127.0.0.1", 1)})
from random import Random
next(Predictions().calls(Random(1)))
print([name for name in ("torch", "sklearn", "scipy") if name in sys.modules])
"""
    Serving().prepare()
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
