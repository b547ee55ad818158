"""How the processor time of a system's processes divides into stages, both in the kernel and in the processes themselves.

Linux's perf samples a process while it is on a processor, and tells the kernel and the libraries apart. It cannot look into
Python, so py-spy samples at the same time: the time of the interpreter is divided among the stages in proportion to py-spy's
samples of their functions.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

SYSCALLS: Final = {
    "write": r"sys_(write|writev|sendto|sendmsg)\b",
    "read": r"sys_(read|readv|recvfrom|recvmsg)\b",
    "wake-ups and context switches": r"sys_(epoll_p?wait2?|timerfd_settime)\b|schedule",
}
"""Stages of the kernel's work, by a function on the stack."""

LIBRARIES: Final = {
    "parse": r"harness/http/_compiled|httptools",
    "decode": r"systems/serving/_compiled",
    "forward": r"torch|mkl|gomp",
    "event loop": r"uvloop",
}
"""Stages of compiled code, by its file. All other libraries count as the interpreter."""

FUNCTIONS: Final = {
    "parse": r"http/(requests|responses|framing|plain)\.py|ResponseParser",
    "decode": r"serving/pixels\.py|^(Server\.)?_add(_one)? ",
    "encode": r"http/writing\.py|_encode\w* ",
    "forward": r"serving/(model|deep_check)\.py|torch/|numpy/",
    "choose a replica": r"serving/(dispatch|policy|breakers|admission|ejection|replica_choice)\.py|systems/parts/",
    "batch": r"http/batched|http/pool|serving/(coalescing|batching|balancer|replica)\.py|node/context\.py",
    "pace and count": r"load/engine/",
    "event loop": r"asyncio/",
}
"""Stages of Python code, by the file or function of the innermost frame that matches any of them."""

KERNEL_REST: Final = "interrupts, page faults"
PYTHON_REST: Final = "other Python"


ORDER: Final = (
    "read", "parse", "decode", "batch", "choose a replica", "forward", "encode", "write", "pace and count", "event loop",
    "wake-ups and context switches", KERNEL_REST, PYTHON_REST,
)  # fmt: skip
"""The rows of a table."""


class MissingTool(Exception):
    """A tool that is needed is not installed; the message says how to install it."""


def profile(parts: Mapping[str, Sequence[int]], seconds: float) -> dict[str, dict[str, float]]:
    """For each part of a system, given as the PIDs of its processes, the share of its processor time that each stage took.

    Raises `MissingTool`.
    """
    perf, spy = _program("perf", "apt install linux-perf"), _program("py-spy", "pip install py-spy")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        sampling = []
        for part, pids in parts.items():
            targets = ",".join(map(str, pids))
            sampling.append([perf, "record", "-q", "-g", "-F", "997", "-o", str(folder / f"{part}.perf"), "-p", targets])
            sampling[-1] += ["--", "sleep", f"{seconds:g}"]
            for pid in pids[:3]:  # not all, as py-spy stops a process for each sample
                file = str(folder / f"{part}.{pid}.raw")
                sampling.append(
                    [spy, "record", "--gil", "-r", "100", "-d", f"{seconds:.0f}", "-f", "raw", "-o", file, "-p", str(pid)]
                )
        running = [subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for command in sampling]
        for process in running:
            process.wait()
        return {part: _stages(perf, folder, part) for part in parts}


def _stages(perf: str, folder: Path, part: str) -> dict[str, float]:
    script = [perf, "script", "-i", str(folder / f"{part}.perf"), "-F", "ip,sym,dso"]
    samples = Counter(map(_native_stage, _stacks(subprocess.run(script, capture_output=True, text=True, check=True).stdout)))
    python = Counter[str]()
    for file in folder.glob(f"{part}.*.raw"):
        for line in file.read_text().splitlines():
            stack, _, count = line.rpartition(" ")
            python[_python_stage(stack.split(";"))] += int(count)
    shares = {stage: float(count) for stage, count in samples.items()}
    interpreted = shares.pop(PYTHON_REST, 0.0)
    for stage, seen in (python or Counter({PYTHON_REST: 1})).items():
        shares[stage] = shares.get(stage, 0.0) + interpreted * seen / (python.total() or 1)
    return {stage: share / sum(shares.values()) for stage, share in shares.items()}


def _stacks(script: str) -> Iterator[list[tuple[str, str]]]:
    """The function and file of each frame, innermost first."""
    for sample in script.split("\n\n"):
        frames = [match.groups() for match in re.finditer(r"^\s*[0-9a-f]+ (.*) \((.*)\)$", sample, re.MULTILINE)]
        if frames:
            yield [(function, file) for function, file in frames]


def _native_stage(frames: list[tuple[str, str]]) -> str:
    kernel = " ".join(function for function, file in frames if "kernel" in file)
    if kernel:
        return next((stage for stage, pattern in SYSCALLS.items() if re.search(pattern, kernel)), KERNEL_REST)
    return next((stage for stage, pattern in LIBRARIES.items() if re.search(pattern, frames[0][1])), PYTHON_REST)


def _python_stage(frames: list[str]) -> str:
    """The stage of the innermost frame that belongs to any."""
    for frame in reversed(frames):
        for stage, pattern in FUNCTIONS.items():
            if re.search(pattern, frame):
                return stage
    return PYTHON_REST


def table(shares: Mapping[str, Mapping[str, float]], us_a_request: Mapping[str, float]) -> str:
    """A table in Markdown of microseconds per request, with a row for each stage and a column for each part."""
    parts = list(shares)
    rows = [["µs a request", *parts, "all"]]
    for stage in ORDER:
        figures = [shares[part].get(stage, 0.0) * us_a_request[part] for part in parts]
        rows.append([stage, *(f"{figure:.2f}" for figure in [*figures, sum(figures)])])
    totals = [us_a_request[part] for part in parts]
    rows.append(["all", *(f"{figure:.2f}" for figure in [*totals, sum(totals)])])
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([lines[0], "|" + " --- |" + " ---: |" * (len(parts) + 1), *lines[1:]])


def _program(name: str, install: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise MissingTool(f"--profile needs {name}, which is not installed: {install}")
    return found
