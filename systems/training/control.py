"""The control: the parameters after each step of an undisturbed training, kept from one run to the next.

One process computes it once on each machine, all shards in turn, and extends it if a run has more steps. The folder's name
depends on everything that determines it (this code, the libraries, the processor), so it is never out of date.

    python -m harness.launch systems.training.control FOLDER MODEL SEED DEVICE STEPS
"""

from __future__ import annotations

import fcntl
import hashlib
import platform
import subprocess
import sys
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import Final

import msgspec

from harness import roots
from harness.model.errors import HarnessError
from harness.node.disk import Disk
from harness.paths import cache_dir

_SOURCES: Final = (
    "control.py",
    "trainer.py",
    "models/*.py",
    "../parts/sampler.py",
    "../parts/checksums.py",
    "../parts/checkpoint/store.py",
)
_LIBRARIES: Final = ("torch", "numpy", "scikit-learn")
_STATE: Final = "state"
_DIGESTS: Final = "digests.json"
_AT_ONCE: Final = 100
"""The control grows by this many steps at a time, so that a slightly longer run finds them ready."""


class Control(msgspec.Struct, frozen=True, kw_only=True):
    """The first steps of an undisturbed training."""

    parameters: list[str]
    """A digest of the parameters after each step."""
    losses: list[float]
    """The mean loss of each step's samples."""
    samples: list[str]
    """The samples of each step, in the format of a history."""
    state_sha256: str
    """The SHA-256 of the file with the state after the last step."""


def steps(model: str, seed: int, device: str, number: int) -> Control:
    """At least the first `number` steps. Raises `HarnessError` if they cannot be computed."""
    folder = cache_dir() / "training" / f"{model}-{seed}-{device}-{_key()}"
    found = _read(Disk(folder))
    if found is not None and len(found.parameters) >= number:
        return found
    wanted = -(-number // _AT_ONCE) * _AT_ONCE
    made = subprocess.run(
        [*roots.program(__name__), str(folder), model, str(seed), device, str(wanted)],
        env=roots.environment(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    found = _read(Disk(folder))
    if made.returncode != 0 or found is None or len(found.parameters) < number:
        last = (made.stderr.strip().splitlines() or ["(no output)"])[-1]
        raise HarnessError(f"Cannot train the control of {model} for {wanted} steps: {last}")
    return found


@lru_cache(maxsize=1)
def _key() -> str:
    """A digest of everything that the bits depend on besides model and seed, in 16 hexadecimal digits."""
    digest = hashlib.sha256()
    here = Path(__file__).parent
    for pattern in _SOURCES:
        for file in sorted(here.glob(pattern)):
            digest.update(file.read_bytes())
    versions = [metadata.version(library) for library in _LIBRARIES]
    digest.update(repr([*versions, platform.python_version(), _processor()]).encode())
    return digest.hexdigest()[:16]


def _processor() -> str:
    """The processor's features, by which libraries choose their kernels."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line for line in lines if line.startswith(("flags", "Features"))), platform.processor())


def _read(disk: Disk) -> Control | None:
    data = disk.read(_DIGESTS)
    try:
        return None if data is None else msgspec.json.decode(data, type=Control)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None


def _make(disk: Disk, model: str, seed: int, device: str, number: int) -> None:
    """Extend the control to `number` steps."""
    import torch  # the harness itself works without it

    from systems.training.records import samples_text
    from systems.training.trainer import Trainer

    torch.set_num_threads(1)
    trainer = Trainer(model, seed, device)
    found, state = _read(disk), disk.read(_STATE)
    parameters: list[str] = []
    losses: list[float] = []
    samples: list[str] = []
    if found is not None and state is not None and hashlib.sha256(state).hexdigest() == found.state_sha256:
        trainer.decode(state)
        parameters, losses, samples = found.parameters, found.losses, found.samples
    shards = range(trainer.order.shards)
    rows = torch.empty(len(shards), trainer.row)
    while trainer.step < number:
        samples.append(samples_text((use.epoch, use.sample) for use in trainer.uses(shards)))
        trainer.contribute(shards, rows)
        losses.append(trainer.apply(list(rows)).loss)
        parameters.append(trainer.parameters_digest())
    state = trainer.encode()
    disk.replace(_STATE, state)
    made = Control(parameters=parameters, losses=losses, samples=samples, state_sha256=hashlib.sha256(state).hexdigest())
    disk.replace(_DIGESTS, msgspec.json.encode(made))


def main(folder: Path, model: str, seed: int, device: str, number: int) -> None:
    """Compute a control in a folder, unless another process has done so meanwhile."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        disk = Disk(folder)
        found = _read(disk)
        if found is None or len(found.parameters) < number:
            _make(disk, model, seed, device, number)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4], int(sys.argv[5]))
