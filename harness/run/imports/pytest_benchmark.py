"""Files of pytest-benchmark, of any project: what `--benchmark-save`, `--benchmark-autosave` and `--benchmark-json` write.

Each benchmark is a run of a drill of the same name. If pytest ran a drill of this project, the figures are the drill's.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec

from harness.model.errors import UsageError
from harness.model.verdict import RunVerdict
from results.analysis.metrics import Metrics
from results.record.nights.facts import digest_of
from results.record.nights.figures import of_metrics
from results.record.nights.importing import Found
from results.record.nights.recording import Measured
from results.record.nights.rows import Measure

_MEASURES: Final = tuple(Measure(name=name, unit="s", better="lower") for name in ("min", "mean", "median", "max"))


class _Stats(msgspec.Struct, frozen=True):
    min: float
    max: float
    mean: float
    median: float
    stddev: float
    rounds: int
    iterations: int = 1
    total: float | None = None


class _Drill(msgspec.Struct, frozen=True, kw_only=True):
    """What our pytest plugin writes about a drill into `extra_info`."""

    drill: str
    definition: str = ""
    seed: int
    verdict: RunVerdict
    as_expected: bool = True
    why: str = ""
    not_counted: str = ""
    rerun: str
    run_folder: str = ""


class _Benchmark(msgspec.Struct, frozen=True):
    fullname: str
    stats: _Stats
    params: dict[str, msgspec.Raw] | None = None
    options: dict[str, msgspec.Raw] = {}
    extra_info: msgspec.Raw = msgspec.Raw(b"{}")


class _Cpu(msgspec.Struct, frozen=True):
    brand_raw: str | None = None
    brand: str | None = None
    count: int | None = None


class _MachineInfo(msgspec.Struct, frozen=True):
    machine: str = ""
    processor: str = ""
    system: str = ""
    release: str = ""
    python_implementation: str = ""
    python_implementation_version: str = ""
    cpu: _Cpu = _Cpu()


class _CommitInfo(msgspec.Struct, frozen=True):
    id: str | None = None
    dirty: bool | None = None


class _File(msgspec.Struct, frozen=True):
    benchmarks: list[_Benchmark]
    machine_info: _MachineInfo
    commit_info: _CommitInfo
    datetime: str
    version: str = ""


def takes(file: Path) -> bool:
    """Whether the file is one of pytest-benchmark's."""
    return file.suffix == ".json" and all(word in file.read_bytes() for word in (b'"machine_info"', b'"benchmarks"'))


def read(file: Path) -> list[Found]:
    """Its benchmarks, as the runs of one night."""
    try:
        whole = msgspec.json.decode(file.read_bytes(), type=_File)
        began = datetime.fromisoformat(whole.datetime)
    except (msgspec.DecodeError, ValueError) as error:
        raise UsageError(f"{file} is not a file of pytest-benchmark that can be read here: {error}.") from error
    remarks = () if began.tzinfo else ("some times have no time zone and are read as UTC, as pytest-benchmark writes them",)
    began = began.astimezone(UTC) if began.tzinfo else began.replace(tzinfo=UTC)
    commit = (whole.commit_info.id or "")[:12]
    commit += "+" if commit and whole.commit_info.dirty else ""
    return [
        Found(
            source="pytest-benchmark",
            began_utc=began,
            commit=commit,
            facts=_facts(whole),
            runs=tuple(_measured(benchmark, began) for benchmark in whole.benchmarks),
            remarks=remarks,
        )
    ]


def _facts(whole: _File) -> dict[str, str]:
    machine, cpu = whole.machine_info, whole.machine_info.cpu
    found = {
        "CPU": cpu.brand_raw or cpu.brand or machine.processor,
        "cores": str(cpu.count or ""),
        "machine": machine.machine,
        "kernel": f"{machine.system} {machine.release}".strip(),
        "Python": f"{machine.python_implementation} {machine.python_implementation_version}".strip(),
        "pytest-benchmark": whole.version,
    }
    return {name: text for name, text in found.items() if text}


def _measured(benchmark: _Benchmark, began: datetime) -> Measured:
    stats = benchmark.stats
    identity = digest_of([f"{began}", benchmark.fullname, msgspec.structs.asdict(stats)])
    try:
        drill = msgspec.json.decode(benchmark.extra_info, type=_Drill)
        metrics = msgspec.json.decode(benchmark.extra_info, type=Metrics)
    except msgspec.DecodeError:
        return Measured(
            drill=benchmark.fullname,
            repeat=1,
            seed=0,
            began_utc=began,
            duration_s=stats.total,
            verdict="pass",
            as_expected=True,
            why="",
            not_counted="",
            figures=tuple((measure, float(getattr(stats, measure.name))) for measure in _MEASURES),
            definition=digest_of([benchmark.fullname, benchmark.params, benchmark.options]),
            rerun="",
            run_folder="",
            identity=identity,
        )
    return Measured(
        drill=drill.drill,
        repeat=1,
        seed=drill.seed,
        began_utc=began,
        duration_s=None,
        verdict=drill.verdict,
        as_expected=drill.as_expected,
        why=drill.why,
        not_counted=drill.not_counted,
        figures=of_metrics(metrics),
        definition=drill.definition or digest_of([benchmark.fullname]),
        rerun=drill.rerun,
        run_folder=drill.run_folder,
        identity=identity,
    )
