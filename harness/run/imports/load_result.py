"""Results of `harness load`: `load.json` in its run folder, or the file that `--json` wrote."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from results.record.load_result import LOAD_RESULT, LoadResult, decode
from results.record.nights.facts import digest_of, facts_of
from results.record.nights.figures import of_metrics
from results.record.nights.importing import Found
from results.record.nights.recording import Measured
from results.record.nights.rows import Measure

_MAX_RATE: Final = Measure(name="max rate", unit="1/s", better="higher")
_SERVICE_P99: Final = Measure(name="service p99", unit="ms", better="lower")


def takes(file: Path) -> bool:
    """Whether the file is the result of a load."""
    return file.name == LOAD_RESULT or (file.suffix == ".json" and b'"latency_histogram"' in file.read_bytes())


def read(file: Path) -> list[Found]:
    """The load, as one run of a drill named `load URL`."""
    result = decode(file.read_bytes(), str(file))
    began = datetime.fromisoformat(result.started_utc).astimezone(UTC)
    measured = Measured(
        drill=f"load {result.url}",
        repeat=1,
        seed=result.seed,
        began_utc=began,
        duration_s=result.seconds,
        verdict=result.verdict,
        as_expected=result.verdict == "pass",
        why="" if result.verdict == "pass" else result.why,
        not_counted=_not_counted(result),
        slos=result.slos,
        figures=_figures(result),
        histogram=result.latency_histogram,
        definition=_definition(result),
        rerun=result.rerun,
        run_folder=str(file.parent) if file.name == LOAD_RESULT else "",
        identity=digest_of([result.url, result.seed, result.started_utc, result.seconds, result.metrics.requests]),
    )
    facts = facts_of(result.machine, result.versions, "none")
    return [Found(source="harness load", began_utc=began, commit=result.commit, facts=facts, runs=(measured,))]


def _not_counted(result: LoadResult) -> str:
    """Why its figures do not measure the server; empty if they do, even if an SLO had too few calls."""
    unclear = "; ".join(f"{slo.text}: {slo.why}" for slo in result.slos if slo.ok is None)
    measured = result.verdict != "unknown" or (unclear and result.why.endswith(unclear))
    return "" if measured else result.why


def _figures(result: LoadResult) -> tuple[tuple[Measure, float], ...]:
    more = ((_SERVICE_P99, result.service_p99_ms), (_MAX_RATE, result.max_rate_per_s))
    return (*of_metrics(result.metrics), *((measure, value) for measure, value in more if value is not None))


def _definition(result: LoadResult) -> str:
    """A digest of the request. In a search for the highest rate, the rate is a finding and no part of the request."""
    rate = None if result.steps else result.asked_per_s
    how = [result.url, rate, result.arrivals, result.connections, result.depth, result.processes]
    return digest_of([*how, [slo.text for slo in result.slos]])
