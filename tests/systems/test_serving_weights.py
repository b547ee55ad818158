"""A replica serves from its own weights file: bits flipped there change answers; its deep check finds and repairs that."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest

from faults.flip_bits import flip
from harness.cluster.node_disks import FileOnDisk
from harness.http.client import HttpClient
from systems.serving import Serving, artifacts
from systems.serving.deep_check import KNOWN_IMAGES, KnownAnswers
from systems.serving.messages import Prediction
from systems.serving.model import Classifier
from systems.serving.replica import OWN_WEIGHTS
from tests.helpers.one_replica import predict, reload, with_replica

SIGNS = [8 * 8 * number + 63 for number in range(0, 4096, 7)]
"""The sign bits of every seventh weight of the first layer."""


@pytest.fixture(scope="module")
def folder() -> Path:
    Serving().prepare()
    return artifacts.folder()


async def health(client: HttpClient) -> tuple[int, str]:
    response = await client.request("GET", "/healthz", timeout_s=10)
    return response.status, response.body.decode()


async def answers(client: HttpClient, digits: list[artifacts.Digit]) -> list[Prediction]:
    replies = await asyncio.gather(*(predict(client, digit) for digit in digits))
    return [Prediction(reply.label, reply.score) for reply in replies]


@pytest.mark.parametrize(("weights", "version"), [(artifacts.WEIGHTS, "v1"), (artifacts.V2_WEIGHTS, "v2")])
def test_flipped_bits_change_the_answers_until_the_next_check(folder: Path, tmp_path: Path, weights: str, version: str) -> None:
    """Of either version: the replica goes back to the one that it has, not to the one that it started with."""
    digits, right = artifacts.digits(folder)[:50], artifacts.versions(folder)[version].answers[:50]

    async def scenario(client: HttpClient) -> None:
        assert (await reload(client, weights)).status == 200
        assert await answers(client, digits) == right
        flip(FileOnDisk(tmp_path / OWN_WEIGHTS), SIGNS)
        assert await answers(client, digits) != right
        assert await health(client) == (503, "its weights had changed by themselves")
        assert await answers(client, digits) == right
        assert (await health(client))[0] == 200

    with_replica(folder, tmp_path, scenario)


@pytest.mark.parametrize("bit", [0, 63, 8 * 20_000, 8 * 38_480 - 1])
def test_one_flipped_bit_is_noticed_wherever_it_is(folder: Path, tmp_path: Path, bit: int) -> None:
    async def scenario(client: HttpClient) -> None:
        flip(FileOnDisk(tmp_path / OWN_WEIGHTS), [bit])
        assert [(await health(client))[0] for _ in range(2)] == [503, 200]

    with_replica(folder, tmp_path, scenario)


def test_it_stays_unwell_until_there_is_something_whole_to_load(folder: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    shutil.copytree(folder, store)

    async def scenario(client: HttpClient) -> None:
        flip(FileOnDisk(store / artifacts.WEIGHTS), [8000])
        flip(FileOnDisk(tmp_path / OWN_WEIGHTS), [8000])
        assert [(await health(client))[0] for _ in range(3)] == [503] * 3
        flip(FileOnDisk(store / artifacts.WEIGHTS), [8000])
        assert [(await health(client))[0] for _ in range(2)] == [503, 200]

    with_replica(store, tmp_path, scenario)


def test_a_restart_does_not_trust_what_the_last_one_left(folder: Path, tmp_path: Path) -> None:
    digits = artifacts.digits(folder)[:50]

    async def damage(_: HttpClient) -> None:
        flip(FileOnDisk(tmp_path / OWN_WEIGHTS), SIGNS)

    async def ask(client: HttpClient) -> None:
        assert await answers(client, digits) == [digit.answer for digit in digits]

    with_replica(folder, tmp_path, damage)
    with_replica(folder, tmp_path, ask)


def test_a_wrong_answer_from_right_weights_is_not_well_and_loads_nothing(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The arithmetic, or the batch, is what is wrong."""
    predicted = Classifier.predict

    def a_little_off(self: Classifier, rows: list[bytes]) -> list[Prediction]:
        return [Prediction(answer.label, answer.score - 0.001) for answer in predicted(self, rows)]

    async def scenario(client: HttpClient) -> None:
        before = (tmp_path / OWN_WEIGHTS).stat().st_ino
        monkeypatch.setattr(Classifier, "predict", a_little_off)
        found = [await health(client) for _ in range(KNOWN_IMAGES)]
        assert {status for status, _ in found} == {503}
        assert "that its version gives" in found[0][1]
        assert (tmp_path / OWN_WEIGHTS).stat().st_ino == before

    with_replica(folder, tmp_path, scenario)


def test_every_version_is_held_to_its_own_answers(folder: Path) -> None:
    known = KnownAnswers(folder)

    def why(weights: str) -> str | None:
        model = Classifier(artifacts.read(folder, weights))
        return known.first_wrong(model.predict(known.rows), model.fingerprint)

    assert [why(weights) for weights in (artifacts.WEIGHTS, artifacts.V2_WEIGHTS, artifacts.STALE_WEIGHTS)] == [None] * 3
    assert "in an image of" in (why(artifacts.BAD_V2_WEIGHTS) or "")
    first = artifacts.versions(folder)["v1"]
    assert known.wrong(0, Prediction(first.answers[0].label, float("nan")), first.fingerprint)
