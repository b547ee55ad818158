"""The journals of a script's ranks, read as they are written (see `torch_drills.journal`)."""

from __future__ import annotations

import time
from pathlib import Path

import msgspec

from harness.model.errors import UsageError
from harness.model.rank_process import DoneStep, RankProcess


class _Line(msgspec.Struct, frozen=True, kw_only=True):
    """A line of any kind."""

    kind: str
    pid: int
    at_ns: int
    rank: int = 0
    world: int = 1
    backend: str = ""
    parameters: str = ""
    part: bool = False
    step: int = 0
    begun_ns: int = 0
    why: str = ""


class Journals:
    """Everything that the ranks have written so far."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._decode = msgspec.json.Decoder(_Line).decode
        self._read_bytes: dict[Path, int] = {}
        self._loaded: dict[int, _Line] = {}
        self.processes: dict[int, RankProcess] = {}
        """The processes that have joined a group or done a step, by pid."""

    def read(self) -> None:
        """Read new lines, and note which processes have ended. Raises `UsageError` if a file is no journal."""
        for file in self._folder.glob("*.jsonl"):
            with file.open("rb") as journal:
                journal.seek(self._read_bytes.get(file, 0))
                lines, _, rest = journal.read().rpartition(b"\n")
                self._read_bytes[file] = journal.tell() - len(rest)
            try:
                for text in lines.splitlines():
                    self._take(self._decode(text))
            except msgspec.DecodeError as error:
                raise UsageError(f"{file} is not the journal of a rank: {error}.") from error
        for process in self.processes.values():
            if process.gone_ns is None and not _runs(process.pid):
                process.gone_ns = time.monotonic_ns()

    @property
    def started(self) -> dict[int, int]:
        """The pid of the latest process that claims each rank, joined or not."""
        found = {line.rank: line.pid for line in sorted(self._loaded.values(), key=lambda line: line.at_ns)}
        return found | {rank: process.pid for rank, process in self.newest.items()}

    @property
    def newest(self) -> dict[int, RankProcess]:
        """The process of each rank that joined last."""
        return {process.rank: process for process in sorted(self.processes.values(), key=joined_ns)}

    @property
    def world(self) -> int:
        """The number of ranks; 0 until one has joined."""
        return max((process.world for process in self.processes.values()), default=0)

    @property
    def expected_world(self) -> int:
        """The number of ranks expected, by the environment of those that have started."""
        return max([self.world, *(line.world for line in self._loaded.values())])

    def _take(self, line: _Line) -> None:
        if line.kind == "loaded":
            self._loaded[line.pid] = line
            return
        process = self.processes.get(line.pid)
        if process is None:
            loaded = self._loaded.get(line.pid)
            process = self.processes[line.pid] = RankProcess(
                pid=line.pid, rank=line.rank, world=line.world, loaded_ns=None if loaded is None else loaded.at_ns
            )
        match line.kind:
            case "joining":
                process.rank, process.world, process.joined_ns = line.rank, line.world, line.at_ns
            case "began":
                process.rank, process.world, process.backend = line.rank, line.world, line.backend
                process.began_ns, process.parameters, process.part = line.at_ns, line.parameters, line.part
            case "step":
                process.steps.append(DoneStep(begun_ns=line.begun_ns, done_ns=line.at_ns, parameters=line.parameters))
            case "not counted":
                process.not_counted = line.why
            case "not led":
                process.not_led.append(line.why)


def joined_ns(process: RankProcess) -> int:
    """When a process took its rank."""
    return process.joined_ns or process.began_ns or 0


def _runs(pid: int) -> bool:
    """Whether a process exists and is not a zombie."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in "ZX"
