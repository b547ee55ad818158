"""The control: what the parameters are after each step of a training that nothing disturbed, kept from one run to the next.

It is made once a machine, and made longer where a run came further, by one process that computes all shards in turn. What it is
made by (this code, the libraries, the processor) is part of the folder's name, so that it is never out of date.

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
"""It is made longer by so many steps, so that a run that comes a little further finds them made."""


class Control(msgspec.Struct, frozen=True, kw_only=True):
    """So much of an undisturbed training."""

    parameters: list[str]
    """A digest of the parameters after each step."""
    losses: list[float]
    """The mean loss of each step's samples."""
    samples: list[str]
    """What each step has used, as it stands in a history."""
    state_sha256: str
    """Of the file that holds the state after the last step."""


def steps(model: str, seed: int, device: str, number: int) -> Control:
    """At least the first so many steps. Raises `HarnessError` if they cannot be made."""
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
        last = (made.stderr.strip().splitlines() or ["(it said nothing)"])[-1]
        raise HarnessError(f"The control of {model} could not be trained for {wanted} steps: {last}")
    return found


@lru_cache(maxsize=1)
def _key() -> str:
    """All that the bits depend on besides model and seed, in 16 hexadecimal digits."""
    digest = hashlib.sha256()
    here = Path(__file__).parent
    for pattern in _SOURCES:
        for file in sorted(here.glob(pattern)):
            digest.update(file.read_bytes())
    versions = [metadata.version(library) for library in _LIBRARIES]
    digest.update(repr([*versions, platform.python_version(), _processor()]).encode())
    return digest.hexdigest()[:16]


def _processor() -> str:
    """What the processor can do: libraries choose their kernels by it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line for line in lines if line.startswith(("flags", "Features"))), platform.processor())


def _read(disk: Disk) -> Control | None:
    data = disk.read(_DIGESTS)
    try:
        return None if data is None else msgspec.json.decode(data, type=Control)
    except msgspec.MsgspecError:
        return None


def _make(disk: Disk, model: str, seed: int, device: str, number: int) -> None:
    """Go on from what there is, up to so many steps."""
    import torch  # the harness itself does without it

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
    """Make a control in a folder, unless another process has done so meanwhile."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        disk = Disk(folder)
        found = _read(disk)
        if found is None or len(found.parameters) < number:
            _make(disk, model, seed, device, number)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4], int(sys.argv[5]))
