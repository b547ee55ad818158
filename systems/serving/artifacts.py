"""The artifacts of training, in a cache folder that survives runs. Reading them does not need PyTorch.

The folder's name contains a digest of the training code and of the libraries' versions, so that it is never out of date. A
manifest, written last, holds a digest of every file, so that a damaged or half-written folder is detected and made again.
"""

from __future__ import annotations

import hashlib
import os
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import Final

import msgspec

from harness.model.errors import HarnessError, UsageError
from systems.serving.messages import Prediction

WEIGHTS: Final = "weights.pt"
STALE_WEIGHTS: Final = "stale-weights.pt"
"""The same network, trained less."""

V2_WEIGHTS: Final = "weights-v2.pt"
"""The next version: the same network, trained for longer."""

BAD_V2_WEIGHTS: Final = "weights-bad-v2.pt"
"""A next version that takes each digit for another one."""

DIGITS: Final = "digits.json"
VERSIONS: Final = "versions.json"
MANIFEST: Final = "manifest.json"
_SOURCES: Final = ("train.py", "model.py", "messages.py", "artifacts.py")
_LIBRARIES: Final = ("torch", "scikit-learn")


class Digit(msgspec.Struct, frozen=True, kw_only=True):
    """One image, and the model's answer to it."""

    pixels: list[float]
    answer: Prediction


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """A version's answers to every image, in scikit-learn's order, and the fingerprint in its replies."""

    fingerprint: str
    answers: list[Prediction]


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """The folder's contents. `accuracy` is the share of correct answers on held-out images."""

    accuracy: float
    sha256: dict[str, str]


def folder() -> Path:
    """Where the artifacts are, or will be."""
    named = os.environ.get("XDG_CACHE_HOME", "")
    cache = Path(named) if Path(named).is_absolute() else Path.home() / ".cache"
    return cache / "distributed-ml-harness" / "serving" / key()


def missing_library() -> str | None:
    """A library that is needed to make the artifacts but not installed; None if none is missing."""
    return next((library for library, version in _versions().items() if version is None), None)


def manifest(at: Path) -> Manifest | None:
    """The folder's manifest if every file exists and is undamaged, else None."""
    try:
        found = msgspec.json.decode((at / MANIFEST).read_bytes(), type=Manifest)
        undamaged = all(_sha256((at / name).read_bytes()) == digest for name, digest in found.sha256.items())
    except (OSError, UnicodeDecodeError, msgspec.MsgspecError):
        return None
    return found if undamaged else None


def manifest_of(files: dict[str, bytes], accuracy: float) -> Manifest:
    """The manifest of a folder with these files."""
    return Manifest(accuracy=accuracy, sha256={name: _sha256(data) for name, data in files.items()})


def read(at: Path, name: str) -> bytes:
    """Read one file. Raises `HarnessError` if the folder is missing or damaged."""
    found = manifest(at)
    if found is None:
        raise HarnessError(f"The artifacts in {at} are missing or damaged. Call Serving().prepare() to make them again.")
    return (at / name).read_bytes()


def digits(at: Path) -> list[Digit]:
    """Every image, in scikit-learn's order. Raises `UsageError` if nothing has been prepared."""
    try:
        return msgspec.json.decode((at / DIGITS).read_bytes(), type=list[Digit])
    except FileNotFoundError:
        raise UsageError(f"The digits and the model's answers are not in {at}. Call Serving().prepare() first.") from None


def versions(at: Path) -> dict[str, Version]:
    """The good versions, "v1" and "v2". Raises `UsageError` if nothing has been prepared."""
    try:
        return msgspec.json.decode((at / VERSIONS).read_bytes(), type=dict[str, Version])
    except FileNotFoundError:
        raise UsageError(f"The versions' answers are not in {at}. Call Serving().prepare() first.") from None


@lru_cache(maxsize=1)
def key() -> str:
    """A digest of what the artifacts are made from, in 16 hexadecimal digits."""
    digest = hashlib.sha256()
    for name in _SOURCES:
        digest.update(Path(__file__).with_name(name).read_bytes())
    digest.update(repr(_versions()).encode())
    return digest.hexdigest()[:16]


def _versions() -> dict[str, str | None]:
    found: dict[str, str | None] = {}
    for library in _LIBRARIES:
        try:
            found[library] = metadata.version(library)
        except metadata.PackageNotFoundError:
            found[library] = None
    return found


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
