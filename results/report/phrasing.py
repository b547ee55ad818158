"""A result in words: the same in the terminal and on the page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from results.analysis.judge import SLOResult
from results.analysis.metrics import Metrics
from results.analysis.recovery import Recovery
from results.record.result import CheckResult, Result

Mark = Literal["good", "bad", "open"]


def conjoined(names: Sequence[str]) -> str:
    """ "A", "A and B", "A, B and C"."""
    return " and ".join([*([", ".join(names[:-1])] if len(names) > 1 else []), *names[-1:]])


def mark_of(fine: bool | None) -> Mark:
    """The mark of a judgement."""
    return "open" if fine is None else "good" if fine else "bad"


def run_mark(result: Result) -> Mark:
    """How a run is marked: good if it ended as expected."""
    return "good" if result.as_expected else "open" if result.verdict == "unknown" else "bad"


def verdict_word(result: Result) -> str:
    """The run's verdict in a word or two."""
    if result.expected == "fail" and result.verdict != "unknown":
        return "Caught" if result.caught else "Not caught"
    return {"pass": "Pass", "fail": "Fail", "slo": "SLO missed", "unknown": "Unknown"}[result.verdict]


def sentence(result: Result) -> str:
    """How the run ended, without the verdict's word: which drill, through how many faults, how well, or why not."""
    through = _through(result)
    if result.expected == "fail" and result.verdict != "unknown":
        if result.caught:
            return f"{result.drill} is known to be wrong, and {result.caught_by} caught it{through}: {_why(_caught(result))}"
        return f"{result.drill} is known to be wrong, and {result.caught_by} did not catch it{through}."
    figures = ", ".join(key_figures(result))
    match result.verdict:
        case "pass":
            return f"{result.drill} kept every promise{through}: {figures}."
        case "fail":
            wrong = [check for check in result.checks if check.valid is False]
            return f"{result.drill} broke a promise{through}: {' '.join(f'{c.name}: {_why(c)}' for c in wrong)}"
        case "slo":
            missed = [slo for slo in result.slos if slo.ok is False]
            return f"{result.drill} did nothing wrong{through}, but was not good enough: {_list_slos(missed)}"
        case "unknown":
            undecided = [f"{check.name}: {_why(check)}" for check in result.checks if check.valid is None]
            unclear = [slo for slo in result.slos if slo.ok is None] if not undecided else []
            return f"{result.drill} cannot be judged: {' '.join(undecided) or _list_slos(unclear)}"


def key_figures(result: Result) -> list[str]:
    """The figures that belong in a headline."""
    metrics = result.metrics
    figures = [f"{metrics.requests:,} calls"]
    figures += [f"p99 {milliseconds(metrics.p99_ms)}"] if metrics.p99_ms is not None else []
    figures += [f"availability {share(metrics.availability)}"] if metrics.availability is not None else []
    if metrics.recovery_s == 0:
        figures.append("no interruption")
    elif metrics.recovery_s is not None:
        figures.append(_slowest_recovery(metrics.recovery_s, result.recoveries))
    return figures


def _slowest_recovery(seconds: float, recoveries: Sequence[Recovery]) -> str:
    """The slowest recovery; one that was not seen to end may have been slower than it, although it was watched for less."""
    censored_s = max((one.seconds for one in recoveries if one.censored), default=None)
    if censored_s is None:
        return f"recovered in {seconds:.3g} s"
    return f"not recovered within {seconds:.3g} s" if censored_s >= seconds else f"recovered in {seconds:.3g} s or more"


def milliseconds(value_ms: float | None) -> str:
    """ "3.14 ms", "1,234 ms", "10 ns" for the steps of a clock that only counts; a dash for None."""
    if value_ms is None:
        return "–"
    if 0 < value_ms < 1e-4:
        return f"{value_ms * 1e6:.3g} ns"
    return f"{value_ms:,.0f} ms" if value_ms >= 999.5 else f"{value_ms:.3g} ms"


def share(value: float | None) -> str:
    """ "99.8 %"; never "100 %" if anything is missing from it; a dash for None."""
    if value is None:
        return "–"
    for digits in range(3, 16):
        text = f"{value * 100:.{digits}g}"
        if (float(text) == 100) == (value == 1):
            return f"{text} %"
    return f"{value * 100} %"


def recovery(metrics: Metrics) -> str:
    """ "0.6 s", "≥ 3 s" if recovery was not seen; a dash if there was nothing to recover from."""
    if metrics.recovery_s is None:
        return "–"
    return f"{'≥ ' if metrics.recovery_censored else ''}{metrics.recovery_s:.3g} s"


def recovery_words(recovery: Recovery | None) -> str:
    """How service recovered from a fault."""
    if recovery is None:
        return "no recovery to measure"
    if recovery.censored:
        return f"not recovered within {recovery.seconds:.3g} s, when watching ended"
    return f"recovered in {recovery.seconds:.3g} s" if recovery.seconds else "service was not interrupted"


def operation(kind: str, key: str, value: object, expected: object) -> str:
    """An operation in short: "write k3 = 17", "read k3 = 16, expected 17"; `value` and `expected` are strings or null.

    An answer of another text need not be wrong: more than one may be right, and checks compare numbers, not their digits.
    """
    asked = f"{kind} {_short(key)}" if key else kind
    if not isinstance(value, str):
        return asked
    differs = isinstance(expected, str) and expected != value
    return f"{asked} = {_short(value)}" + (f", expected {_short(str(expected))}" if differs else "")


def _short(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:39]}…"


def _through(result: Result) -> str:
    faults = len(result.faults)
    return f" through {faults} fault{'s' if faults > 1 else ''}" if faults else ""


def _caught(result: Result) -> CheckResult:
    return next(check for check in result.checks if check.name == result.caught_by)


def _why(check: CheckResult) -> str:
    return check.why if check.why.endswith((".", "!", "?")) else f"{check.why}."


def _list_slos(slos: list[SLOResult]) -> str:
    return "; ".join(f"{slo.text}: {slo.why}" for slo in slos) + "."


def count(number: int, noun: str, plural: str = "") -> str:
    """ "1 night", "5 nights"."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"
