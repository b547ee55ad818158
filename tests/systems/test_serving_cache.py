"""A replica's cache: bounded, transparent, never with another model's answers, and not used by health checks."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faults.flip_bits import flip
from harness.cluster.node_disks import FileOnDisk
from harness.http.client import HttpClient
from harness.model.errors import UsageError
from systems.serving import Serving, artifacts, replica
from systems.serving.known_bad import poisoned_cache_replica, stale_cache_replica
from systems.serving.limited import LimitedServing
from systems.serving.messages import CacheStatus, Prediction, PredictReply, PredictRequest, ServedStatus
from systems.serving.model import Classifier
from systems.serving.prediction_cache import LONGEST_BODY_BYTES, PredictionCache
from systems.serving.replica import OWN_WEIGHTS
from tests.helpers.one_replica import Main, predict, reload, with_replica


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 9)), max_size=100), st.integers(1, 5))
def test_it_holds_what_was_used_last_and_no_more(steps: list[tuple[bool, int]], entries: int) -> None:
    """Against a list, the one used last at its end."""
    cache, used = PredictionCache(entries), list[int]()
    for keeps, number in steps:
        body = b"%d" % number
        if keeps:
            cache.keep(body, b"answer " + body)
            used = [*(other for other in used if other != number), number][-entries:]
        else:
            assert cache.get(body) == (b"answer " + body if number in used else None)
            used = [*(other for other in used if other != number), *([number] if number in used else [])]
        assert cache.status().entries == len(used)


def test_what_is_longer_than_any_image_is_not_kept() -> None:
    cache = PredictionCache(10)
    cache.keep(b" " * (LONGEST_BODY_BYTES + 1), b"answer")
    assert cache.status().entries == 0


@pytest.fixture(scope="module")
def folder() -> Path:
    Serving().prepare()
    return artifacts.folder()


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many images each pass through the model took."""
    sizes: list[int] = []
    predict_all = Classifier.predict

    def counted(self: Classifier, rows: list[bytes]) -> list[Prediction]:
        sizes.append(len(rows))
        return predict_all(self, rows)

    monkeypatch.setattr(Classifier, "predict", counted)
    return sizes


async def counts(client: HttpClient) -> CacheStatus | None:
    return (await client.request("GET", "/status", timeout_s=10)).decode(ServedStatus).cache


def test_what_was_asked_before_takes_no_pass_and_gets_the_same_answer(folder: Path, tmp_path: Path, passes: list[int]) -> None:
    digits = artifacts.digits(folder)

    async def scenario(client: HttpClient) -> None:
        replies = [await predict(client, digits[number]) for number in (0, 1, 0, 1, 2)]
        assert [Prediction(reply.label, reply.score) for reply in replies] == [digits[n].answer for n in (0, 1, 0, 1, 2)]
        assert passes == [1, 1, 1]
        assert await counts(client) == CacheStatus(entries=2, hits=2, misses=3)
        await predict(client, digits[0])  # the third image has driven it out
        assert passes == [1, 1, 1, 1]

    with_replica(folder, tmp_path, scenario, cache=2)


def test_it_is_off_unless_asked_for(folder: Path, tmp_path: Path, passes: list[int]) -> None:
    async def scenario(client: HttpClient) -> None:
        for _ in range(3):
            await predict(client, artifacts.digits(folder)[0])
        assert passes == [1, 1, 1]
        assert await counts(client) is None

    with_replica(folder, tmp_path, scenario)
    assert {node.config.get("cache") for node in Serving().nodes()} == {0, None}


def test_a_request_that_is_no_image_is_refused_every_time(folder: Path, tmp_path: Path) -> None:
    async def scenario(client: HttpClient) -> None:
        for _ in range(2):
            assert (await client.request("POST", "/predict", b'{"pixels":[1]}', timeout_s=10)).status == 400
        assert await counts(client) == CacheStatus(entries=0, hits=0, misses=2)

    with_replica(folder, tmp_path, scenario, cache=10)


def test_health_checks_run_the_model_whatever_is_remembered(folder: Path, tmp_path: Path, passes: list[int]) -> None:
    async def scenario(client: HttpClient) -> None:
        for digit in artifacts.digits(folder)[:10]:
            await predict(client, digit)
        passes.clear()
        for _ in range(20):
            assert (await client.request("GET", "/healthz", timeout_s=10)).status == 200
        assert passes == [1] * 20
        assert await counts(client) == CacheStatus(entries=10, hits=0, misses=10)

    with_replica(folder, tmp_path, scenario, cache=100)


@pytest.mark.parametrize(("main", "right"), [(replica.main, True), (stale_cache_replica.main, False)])
def test_a_reload_empties_it(folder: Path, tmp_path: Path, main: Main, right: bool) -> None:
    digits, versions = artifacts.digits(folder)[:20], artifacts.versions(folder)

    async def scenario(client: HttpClient) -> None:
        for name, version in ((artifacts.V2_WEIGHTS, "v2"), (artifacts.WEIGHTS, "v1")):
            await asyncio.gather(*(predict(client, digit) for digit in digits))
            assert (await reload(client, name)).status == 200
            replies = await asyncio.gather(*(predict(client, digit) for digit in digits))
            fresh = [Prediction(reply.label, reply.score) for reply in replies] == versions[version].answers[:20]
            assert (fresh and {reply.model for reply in replies} == {versions[version].fingerprint}) is right
            if not right:
                break

    with_replica(folder, tmp_path, scenario, cache=100, main=main)


def test_a_reload_that_fails_keeps_it(folder: Path, tmp_path: Path) -> None:
    async def scenario(client: HttpClient) -> None:
        await predict(client, artifacts.digits(folder)[0])
        assert (await reload(client, artifacts.BAD_V2_WEIGHTS)).status == 409
        await predict(client, artifacts.digits(folder)[0])
        assert await counts(client) == CacheStatus(entries=1, hits=1, misses=1)

    with_replica(folder, tmp_path, scenario, cache=100)


def test_hits_and_misses_of_one_run_are_answered_in_their_order(folder: Path, tmp_path: Path) -> None:
    digits = artifacts.digits(folder)[:8]

    async def scenario(client: HttpClient) -> None:
        for digit in digits[::2]:
            await predict(client, digit)
        answers = await together(client, [request(digit) for digit in digits])
        assert [msgspec.json.decode(body, type=Prediction) for _, body in answers] == [digit.answer for digit in digits]

    with_replica(folder, tmp_path, scenario, cache=100)


async def together(client: HttpClient, requests: list[bytes]) -> list[tuple[int, bytes]]:
    """Status and body of the answers to requests that are sent with one write, and so come into one batch."""
    reader, writer = await asyncio.open_connection(*client.address)
    writer.write(b"".join(requests))
    answers = []
    for _ in requests:
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        answers.append((int(head.split()[1]), await reader.readexactly(length)))
    writer.close()
    return answers


def request(digit: artifacts.Digit) -> bytes:
    body = msgspec.json.encode(PredictRequest(digit.pixels))
    return b"POST /predict HTTP/1.1\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body)


CHECK = b"GET /healthz HTTP/1.1\r\n\r\n"


@pytest.mark.parametrize(("main", "right"), [(replica.main, True), (poisoned_cache_replica.main, False)])
def test_a_batch_in_which_weights_are_repaired_leaves_nothing_behind(
    folder: Path, tmp_path: Path, main: Main, right: bool
) -> None:
    """What was predicted before the repair and is encoded after it must not be remembered as the repaired model's answer."""
    digits = artifacts.digits(folder)[:20]

    async def scenario(client: HttpClient) -> None:
        flip(FileOnDisk(tmp_path / OWN_WEIGHTS), [8 * 8 * number + 63 for number in range(4096)])
        (check, _), *wrong = await together(client, [CHECK, *map(request, digits)])
        assert check == 503
        assert [msgspec.json.decode(body, type=Prediction) for _, body in wrong] != [digit.answer for digit in digits]
        replies = [await predict(client, digit) for digit in digits]
        assert ([Prediction(reply.label, reply.score) for reply in replies] == [digit.answer for digit in digits]) is right

    with_replica(folder, tmp_path, scenario, cache=100, main=main)


def test_what_follows_a_reload_in_the_same_read_is_not_answered_from_the_old_cache(folder: Path, tmp_path: Path) -> None:
    digit, versions = artifacts.digits(folder)[0], artifacts.versions(folder)
    order = b'{"weights":"%s"}' % artifacts.V2_WEIGHTS.encode()
    reloading = b"POST /reload HTTP/1.1\r\ncontent-length: %d\r\n\r\n%s" % (len(order), order)

    async def scenario(client: HttpClient) -> None:
        await predict(client, digit)
        _, (_, body) = await together(client, [reloading, request(digit)])
        assert msgspec.json.decode(body, type=PredictReply).model == versions["v2"].fingerprint
        assert await counts(client) == CacheStatus(entries=1, hits=0, misses=2)

    with_replica(folder, tmp_path, scenario, cache=100)


def test_settings_that_make_no_sense_are_refused() -> None:
    with pytest.raises(UsageError, match="cache=-1"):
        Serving(cache=-1)
    with pytest.raises(UsageError, match=r"cache=10.*work on every request"):
        LimitedServing(cache=10)
