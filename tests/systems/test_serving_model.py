"""The model, its training, and their folder: correct, repeatable, and rebuilt if damaged."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from random import Random

import msgspec
import pytest

from harness.model.errors import HarnessError, UsageError
from systems.serving import Serving, artifacts
from systems.serving.model import Classifier
from systems.serving.pixels import row


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A cache folder of this module's own, with a copy of this machine's artifacts."""
    Serving().prepare()
    made = artifacts.folder()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        shutil.copytree(made, artifacts.folder())
        yield artifacts.folder()


@pytest.fixture
def remade(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The trainings that are asked for. They are not carried out."""
    asked: list[list[str]] = []

    def note(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        asked.append(command)
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(subprocess, "run", note)
    return asked


def test_is_right_about_digits_that_it_has_not_seen(trained: Path) -> None:
    found = artifacts.manifest(trained)
    assert found is not None
    assert 0.95 < found.accuracy < 1


def test_has_an_answer_to_every_digit(trained: Path) -> None:
    digits = artifacts.digits(trained)
    assert len(digits) == 1797
    assert {digit.answer.label for digit in digits} == set(range(10))
    assert all(len(digit.pixels) == 64 and 0.1 <= digit.answer.score <= 1 for digit in digits)


@pytest.mark.parametrize("batch", [1, 2, 7, 64, 1797])
def test_answers_do_not_depend_on_the_batch(trained: Path, batch: int) -> None:
    digits = artifacts.digits(trained)
    classifier = Classifier(artifacts.read(trained, artifacts.WEIGHTS))
    answers = [
        answer
        for start in range(0, len(digits), batch)
        for answer in classifier.predict([row(digit.pixels) for digit in digits[start : start + batch]])
    ]
    assert answers == [digit.answer for digit in digits]


def test_the_older_model_is_good_but_another(trained: Path) -> None:
    digits = artifacts.digits(trained)
    current, stale = (Classifier(artifacts.read(trained, name)) for name in (artifacts.WEIGHTS, artifacts.STALE_WEIGHTS))
    answers = stale.predict([row(digit.pixels) for digit in digits])
    same_label = sum(answer.label == digit.answer.label for answer, digit in zip(answers, digits, strict=True))
    other_score = sum(abs(answer.score - digit.answer.score) > 1e-3 for answer, digit in zip(answers, digits, strict=True))
    assert same_label > 0.9 * len(digits)
    assert other_score > 0.5 * len(digits)
    assert current.fingerprint != stale.fingerprint


def test_prepared_once_is_prepared(trained: Path, remade: list[list[str]]) -> None:
    Serving().prepare()
    assert remade == []


@pytest.mark.parametrize("name", [artifacts.WEIGHTS, artifacts.STALE_WEIGHTS, artifacts.DIGITS, artifacts.MANIFEST])
@pytest.mark.parametrize("damage", ["flipped bit", "no text", "cut short", "empty", "gone"])
def test_what_is_damaged_is_made_again(trained: Path, remade: list[list[str]], name: str, damage: str) -> None:
    whole = (trained / name).read_bytes()
    try:
        match damage:
            case "flipped bit":
                middle = len(whole) // 2
                (trained / name).write_bytes(whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :])
            case "no text":  # a byte that UTF-8 does not have
                (trained / name).write_bytes(whole[:-8] + b"\xff" + whole[-7:])
            case "cut short":
                (trained / name).write_bytes(whole[: len(whole) // 2])
            case "empty":
                (trained / name).write_bytes(b"")
            case "gone":
                (trained / name).unlink()
        with pytest.raises(HarnessError, match="missing or damaged"):
            artifacts.read(trained, artifacts.WEIGHTS)
        Serving().prepare()
        assert len(remade) == 1
    finally:
        (trained / name).write_bytes(whole)


@pytest.mark.slow
def test_training_again_after_damage_makes_the_same_files(trained: Path) -> None:
    before = artifacts.manifest(trained)
    (trained / artifacts.WEIGHTS).write_bytes(b"not weights")
    Serving().prepare()
    assert artifacts.manifest(trained) == before


def test_another_library_version_means_another_folder(trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metadata, "version", lambda library: f"{library} of tomorrow")
    artifacts.key.cache_clear()
    try:
        assert artifacts.folder() != trained
    finally:
        artifacts.key.cache_clear()


@pytest.mark.parametrize("library", ["torch", "scikit-learn"])
def test_a_missing_library_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch, library: str) -> None:
    def version(name: str) -> str:
        if name == library:
            raise metadata.PackageNotFoundError(name)
        return "1"

    monkeypatch.setattr(metadata, "version", version)
    line = f"Serving needs {library}, which is not installed: pip install 'distributed-ml-harness[serving]'"
    assert Serving().missing() == line
    with pytest.raises(UsageError) as caught:
        Serving().prepare()
    assert str(caught.value) == line


def test_nothing_is_missing_here() -> None:
    assert Serving().missing() is None


def test_a_cache_that_cannot_be_written_is_said_in_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(UsageError, match="Set XDG_CACHE_HOME to a folder that can be written") as caught:
        Serving().prepare()
    assert "\n" not in str(caught.value)


def test_a_training_that_fails_says_its_last_words(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    failed = subprocess.CompletedProcess([], 1, "", "Traceback:\n  somewhere\nOSError: no space left on device\n")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: failed)
    with pytest.raises(HarnessError, match="ended with code 1: OSError: no space left on device"):
        Serving().prepare()


def test_a_relative_cache_home_is_ignored(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As the XDG base directory specification asks."""
    monkeypatch.setenv("XDG_CACHE_HOME", "somewhere")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert artifacts.folder().is_relative_to(tmp_path / ".cache")


def test_weights_are_loaded_as_weights_only(trained: Path) -> None:
    """A file that would run code when unpickled is refused."""
    import io
    import pickle

    import torch

    class Evil:
        def __reduce__(self) -> tuple[object, ...]:
            return print, ("code ran",)

    file = io.BytesIO()
    torch.save({"0.weight": Evil()}, file)
    with pytest.raises(pickle.UnpicklingError, match="weights_only"):
        Classifier(file.getvalue())


def test_the_digits_file_is_plain_json(trained: Path) -> None:
    first = msgspec.json.decode((trained / artifacts.DIGITS).read_bytes())[0]
    assert sorted(first) == ["answer", "pixels"]


def test_the_compiled_network_answers_as_pytorch_does(trained: Path) -> None:
    pytest.importorskip("systems.serving._compiled", reason="there was no compiler")
    random = Random(1)
    classifier = Classifier(artifacts.read(trained, artifacts.WEIGHTS))
    images = [row([random.uniform(0, 16) for _ in range(64)]) for _ in range(100)]
    assert classifier.predict(images) == classifier.predict_by_torch(images)
    memory = bytearray(classifier.weights())
    classifier.serve_from(memoryview(memory))
    assert classifier.predict(images) == classifier.predict_by_torch(images)
    for _ in range(60):  # damage is served alike, infinities and what is no number included
        at = random.randrange(len(memory))
        memory[at] = random.choice([memory[at] ^ 1 << random.randrange(8), 0xFF, 0x7F])
        expected = classifier.predict_by_torch(images[:10])
        for found, answer in zip(classifier.predict(images[:10]), expected, strict=True):
            assert (found.label, found.score) == (answer.label, pytest.approx(answer.score, abs=1e-4, nan_ok=True))


@pytest.mark.parametrize("rows", [[b"short"], [bytes(512), bytes(513)], [None]])
def test_a_row_that_is_no_image_is_an_error(trained: Path, rows: list[bytes]) -> None:
    with pytest.raises((ValueError, TypeError)):
        Classifier(artifacts.read(trained, artifacts.WEIGHTS)).predict(rows)


def test_no_images_have_no_predictions(trained: Path) -> None:
    assert Classifier(artifacts.read(trained, artifacts.WEIGHTS)).predict([]) == []
