"""A replica changes its model between two batches, and keeps its current one if the next is invalid."""

from __future__ import annotations

import asyncio
import errno
import shutil
from pathlib import Path

import msgspec
import pytest

from harness.http.client import HttpClient
from harness.node.disk import Disk
from systems.serving import Serving, artifacts
from systems.serving.messages import Prediction
from tests.helpers.one_replica import predict, reload, with_replica

NO_WEIGHTS = "no-weights.pt"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The artifacts, and a file beside them that is whole but holds no weights."""
    Serving().prepare()
    copy = tmp_path_factory.mktemp("artifacts") / "copy"
    shutil.copytree(artifacts.folder(), copy)
    (copy / NO_WEIGHTS).write_bytes(b"not weights")
    found = artifacts.manifest(copy)
    assert found is not None
    files = {name: (copy / name).read_bytes() for name in [*found.sha256, NO_WEIGHTS]}
    (copy / artifacts.MANIFEST).write_bytes(msgspec.json.encode(artifacts.manifest_of(files, found.accuracy)))
    return copy


def test_the_next_answers_are_the_new_version_s(folder: Path, tmp_path: Path) -> None:
    digits, versions = artifacts.digits(folder)[:50], artifacts.versions(folder)

    async def scenario(client: HttpClient) -> None:
        for name, version in ((artifacts.V2_WEIGHTS, "v2"), (artifacts.WEIGHTS, "v1")):
            response = await reload(client, name)
            assert response.status == 200
            assert response.decode(dict[str, str]) == {"node": "r1", "model": versions[version].fingerprint}
            replies = await asyncio.gather(*(predict(client, digit) for digit in digits))
            assert {reply.model for reply in replies} == {versions[version].fingerprint}
            assert [Prediction(reply.label, reply.score) for reply in replies] == versions[version].answers[:50]

    with_replica(folder, tmp_path, scenario)


def test_every_answer_is_one_version_s_while_versions_change(folder: Path, tmp_path: Path) -> None:
    """What an answer says its version is, that version answers."""
    digits = artifacts.digits(folder)
    versions = {version.fingerprint: version for version in artifacts.versions(folder).values()}

    async def scenario(client: HttpClient) -> None:
        async def ask(first: int, count: int) -> None:
            for row in range(first, first + count):
                reply = await predict(client, digits[row])
                assert Prediction(reply.label, reply.score) == versions[reply.model].answers[row]
                seen.add(reply.model)

        async def change() -> None:
            for name in [artifacts.V2_WEIGHTS, artifacts.WEIGHTS] * 3:
                assert (await reload(client, name)).status == 200
                await ask(0, 1)

        seen: set[str] = set()
        await asyncio.gather(change(), *(ask(100 * number, 40) for number in range(8)))
        assert seen == set(versions)

    with_replica(folder, tmp_path, scenario)


@pytest.mark.parametrize(
    ("weights", "why"),
    [
        (NO_WEIGHTS, "Error"),
        ("gone.pt", "there is no such file; there are digits.json"),
        ("../escape.pt", "there is no such file"),
        (artifacts.BAD_V2_WEIGHTS, "in an image of 0"),
        (artifacts.DIGITS, "Error"),
    ],
)
def test_a_file_that_is_no_good_is_refused_and_the_model_stays(folder: Path, tmp_path: Path, weights: str, why: str) -> None:
    digit, first = artifacts.digits(folder)[3], artifacts.versions(folder)["v1"]

    async def scenario(client: HttpClient) -> None:
        response = await reload(client, weights)
        assert response.status == 409
        assert f"{first.fingerprint} stays" in response.body.decode()
        assert why in response.body.decode()
        assert (await predict(client, digit)).model == first.fingerprint
        assert (await client.request("GET", "/healthz", timeout_s=10)).status == 200

    with_replica(folder, tmp_path, scenario)


def test_a_file_damaged_since_it_was_made_is_refused(folder: Path, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged"
    shutil.copytree(folder, damaged)

    async def scenario(client: HttpClient) -> None:
        (damaged / artifacts.V2_WEIGHTS).write_bytes(b"half a fi")
        response = await reload(client, artifacts.V2_WEIGHTS)
        assert response.status == 409
        assert b"missing or damaged" in response.body

    with_replica(damaged, tmp_path, scenario)


def test_a_version_for_which_the_disk_has_no_room_is_refused_and_the_model_stays(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    digits, versions = artifacts.digits(folder)[:50], artifacts.versions(folder)

    async def answers(client: HttpClient, version: str) -> None:
        replies = await asyncio.gather(*(predict(client, digit) for digit in digits))
        assert {reply.model for reply in replies} == {versions[version].fingerprint}
        assert [Prediction(reply.label, reply.score) for reply in replies] == versions[version].answers[:50]

    def full(disk: Disk, name: str, data: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    async def scenario(client: HttpClient) -> None:
        await answers(client, "v1")
        with monkeypatch.context() as patch:
            patch.setattr(Disk, "replace", full)
            response = await reload(client, artifacts.V2_WEIGHTS)
            assert (response.status, b"No space left on device" in response.body) == (409, True)
            await answers(client, "v1")
        assert (await reload(client, artifacts.V2_WEIGHTS)).status == 200
        await answers(client, "v2")

    with_replica(folder, tmp_path, scenario, cache=1000)


@pytest.mark.parametrize("sent", [b"{}", b'{"weights":"\xff"}'])
def test_a_reload_that_names_no_file_is_a_bad_request(folder: Path, tmp_path: Path, sent: bytes) -> None:
    async def scenario(client: HttpClient) -> None:
        response = await client.request("POST", "/reload", sent, timeout_s=10)
        assert response.status == 400
        assert response.body.startswith(b"bad request body: ")

    with_replica(folder, tmp_path, scenario)
