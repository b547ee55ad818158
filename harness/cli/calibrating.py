"""`harness nightly --calibrate`: nights in a row with the same code, which show only the machine's noise."""

from __future__ import annotations

from dataclasses import replace

from rich.console import Console

from harness.cli.night_recorder import NightOrder, record_night
from harness.cli.running import INTERRUPTED
from harness.model.verdict import EXIT_CODES
from results.record.nights.database import HistoryDatabase
from results.record.nights.rows import CALIBRATION
from results.record.result import Result, suite_exit_code
from results.report.calibration_terminal import print_calibration
from results.trends.recorded import aa_test


def calibrate(order: NightOrder, nights: int, database: HistoryDatabase, console: Console) -> int:
    """Record `nights` nights for calibration, and print what they show.

    1 if a run showed wrong behaviour, 3 if an SLO was missed, 4 if too few nights count, else 0: an unknown run does not
    matter here.
    """
    names: set[str] = set()
    results: list[Result] = []
    interrupted = False
    for number in range(nights):
        console.print(f"\nNight {number + 1} of {nights} for calibration", style="bold", highlight=False)
        night = record_night(replace(order, source=CALIBRATION), database, console)
        names.add(night.name)
        results += night.results
        interrupted = night.interrupted
        if interrupted:
            break
    measured = {(run.drill, run.baseline) for run in database.runs() if run.night in names and run.counted}
    aa = aa_test(database, measured)
    print_calibration(aa, console)
    if interrupted:
        return INTERRUPTED
    judged = suite_exit_code([result for result in results if result.verdict != "unknown"])
    return judged or (EXIT_CODES["unknown"] if aa is None else 0)
