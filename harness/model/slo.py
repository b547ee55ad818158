"""Service level objectives as short texts, k6-like: `"p99 < 100ms"`. The same text in code and on the command line."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection
from dataclasses import dataclass
from decimal import Decimal
from typing import ClassVar, Final, Literal

from harness.model.errors import UsageError

Comparison = Literal["<", "<=", ">", ">="]


@dataclass(frozen=True, kw_only=True)
class _Quantity:
    """The form of a metric's threshold: its units (as multiples of the base unit), its bounds and its good direction."""

    units: dict[str, Decimal]
    better: Literal["lower", "higher"]
    example: str
    at_most: Decimal | None = None
    at_least: Decimal | None = None


_LATENCY: Final = _Quantity(
    units={"us": Decimal("0.001"), "µs": Decimal("0.001"), "ms": Decimal(1), "s": Decimal(1000)},
    better="lower",
    example="100ms",
)
_DURATION: Final = _Quantity(units={"ms": Decimal("0.001"), "s": Decimal(1)}, better="lower", example="2s")
_WATCHED: Final = _Quantity(units=_DURATION.units, better="lower", example="3s", at_least=Decimal("0.5"))
_COUNT: Final = _Quantity(units={"": Decimal(1)}, better="lower", example="3")
_QUANTITIES: Final = {
    "max": _LATENCY,
    "availability": _Quantity(units={"%": Decimal("0.01")}, better="higher", example="99.9%", at_most=Decimal(1)),
    "recovery": _DURATION,
    "convergence": _DURATION,
    "rate": _Quantity(
        units={"/s": Decimal(1), "k/s": Decimal(1000), "M/s": Decimal(1000000)}, better="higher", example="1000/s"
    ),
    "goodput": _Quantity(units={"%": Decimal("0.01")}, better="higher", example="90%"),
    "ettr": _Quantity(units={"%": Decimal("0.01")}, better="higher", example="90%", at_most=Decimal(1)),
    "lost_steps": _COUNT,
    "bytes_per_step": _Quantity(
        units={"B": Decimal(1), "kB": Decimal(1000), "MB": Decimal(1000000)}, better="lower", example="100kB"
    ),
    "stall": _DURATION,
    "step": _LATENCY,
    "staleness": _LATENCY,
    "versions_behind": _COUNT,
    "requests": _Quantity(units={"": Decimal(1), "k": Decimal(1000), "M": Decimal(1000000)}, better="higher", example="100"),
}
_OF_SCRIPTS: Final = ("goodput", "ettr", "lost_steps", "bytes_per_step", "stall")
_OF_STEPS: Final = ("goodput", "lost_steps", "bytes_per_step", "stall", "step")
"""Metrics of a system that trains."""
_OF_READS: Final = ("staleness", "versions_behind")
_OF_EACH: Final = (*_OF_READS, "step")
"""Metrics with a value for each read or step; the SLO names a percentile, "staleness p99", or the maximum, "step max"."""
_USUAL_METRICS: Final = ("p50", "p90", "p95", "p99", "p99.9", "p99.99", *_QUANTITIES)
_SIDES: Final[dict[str, tuple[Comparison, Comparison]]] = {"lower": ("<", "<="), "higher": (">", ">=")}


@dataclass(frozen=True)
class SLO:
    """A metric and its threshold.

    The threshold is in the metric's base unit: milliseconds for percentiles and `max`, seconds for `recovery` and
    `convergence`, a share between 0 and 1 for `availability`, `goodput` and `ettr`, calls a second for `rate`, calls for
    `requests`, bytes for `bytes_per_step`. `metric` includes the percentile if there is one: "p99.9", "staleness p99",
    "staleness max".
    """

    text: str
    metric: str
    comparison: Comparison
    threshold: float

    @classmethod
    def parse(cls, text: str) -> SLO:
        """Read `METRIC COMPARISON NUMBER UNIT`. Raises `UsageError` with a caret under what cannot be read."""
        return Parser(text).slo()

    @classmethod
    def parse_training(cls, text: str) -> SLO:
        """The same for a training script, whose percentiles are of step times."""
        return _TrainingParser(text).slo()

    @property
    def percentile(self) -> float | None:
        """99.9 for "p99.9"; None if the metric is not a percentile."""
        return float(self.metric[1:]) if re.fullmatch(r"p[\d.]+", self.metric) else None

    @property
    def of_each(self) -> tuple[str, float] | None:
        """("staleness", 99.0) for "staleness p99", 100 for its "max"; None if the metric is not one of reads or steps."""
        name, _, percentile = self.metric.partition(" ")
        if name not in _OF_EACH:
            return None
        return name, 100.0 if percentile == "max" else float(percentile[1:])

    @property
    def of_reads(self) -> bool:
        """Whether it is about reads only."""
        return self.metric.partition(" ")[0] in _OF_READS

    @property
    def of_steps(self) -> bool:
        """Whether it is about the steps of a training."""
        return self.metric.partition(" ")[0] in _OF_STEPS

    def holds(self, value: float) -> bool:
        """Whether a value, in the base unit, meets the threshold."""
        match self.comparison:
            case "<":
                return value < self.threshold
            case "<=":
                return value <= self.threshold
            case ">":
                return value > self.threshold
            case ">=":
                return value >= self.threshold


class Parser:
    """A parser for SLOs, and for texts with the same grammar."""

    noun: ClassVar[str] = "SLO"
    metrics: ClassVar[Collection[str]] = tuple(name for name in _QUANTITIES if name != "ettr")
    """The allowed metrics, besides percentiles."""
    good: ClassVar[bool] = True
    """Whether the condition describes the wanted state; a guard describes the unwanted one."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def slo(self) -> SLO:
        """Parse the whole text."""
        slo = self.condition()
        self.end("the threshold")
        return slo

    def condition(self) -> SLO:
        """Parse the metric, the comparison and the threshold."""
        metric, quantity = self._metric()
        comparison = self._comparison(metric, quantity)
        threshold = self._amount(metric, quantity)
        return SLO(text=self.text.strip(), metric=metric, comparison=comparison, threshold=float(threshold))

    def seconds(self) -> float:
        """Parse the word "for" and a duration."""
        if not self._take(r"for\b"):
            raise self._error(0, "expected 'for' and how long, such as for 3s")
        return float(self._amount("the time", _WATCHED))

    def end(self, last: str) -> None:
        """Check that nothing follows `last`."""
        if rest := self._take(r"\S.*"):
            raise self._error(len(rest), f"expected nothing after {last}, found {rest!r}")

    def _metric(self) -> tuple[str, _Quantity]:
        word = self._take(r"[^\s<>=!]+")
        if (quantity := _QUANTITIES.get(word)) and word in self.metrics:
            return f"{word} {self._of_each(word)}" if word in _OF_EACH else word, quantity
        if percentile := _percentile(word):
            return percentile, _LATENCY
        usual = [name for name in _USUAL_METRICS if name not in _QUANTITIES or name in self.metrics]
        near = difflib.get_close_matches(word.lower(), usual, n=1)
        names = ", ".join(usual)
        raise self._error(len(word), f"expected a metric ({names})" + (f"; did you mean {near[0]!r}?" if near else ""))

    def _of_each(self, name: str) -> str:
        """Parse the percentile of a metric with a value for each read or step."""
        word = self._take(r"[^\s<>=!]+")
        if word != "max" and not _percentile(word):
            raise self._error(len(word), f"expected which {name}, max or a percentile, such as {name} p99")
        return word if word == "max" else _percentile(word)

    def _comparison(self, metric: str, quantity: _Quantity) -> Comparison:
        sides = _SIDES[quantity.better] if self.good else _SIDES["lower" if quantity.better == "higher" else "higher"]
        found = self._take(r"[<>=!≤≥]+")
        if found in sides:
            return found
        raise self._error(len(found), f"expected {sides[0]} or {sides[1]} ({quantity.better} {metric} is better)")

    def _amount(self, metric: str, quantity: _Quantity) -> Decimal:
        number = self._take(r"[0-9]+(\.[0-9]+)?(?![0-9.])")
        if not number:
            raise self._error(0, f"expected a number, such as {quantity.example}")
        unit = self._take(r"\S+")
        if unit not in quantity.units:
            wanted = " or ".join(repr(name) if name else "no unit" for name in quantity.units)
            raise self._error(len(unit), f"expected the unit of {metric}: {wanted}, such as {quantity.example}")
        threshold = Decimal(number) * quantity.units[unit]
        if quantity.at_most is not None and threshold > quantity.at_most:
            raise self._error(len(number + unit), f"expected at most {quantity.at_most / quantity.units[unit]:f}{unit}")
        if quantity.at_least is not None and threshold < quantity.at_least:
            raise self._error(len(number + unit), f"expected at least {quantity.at_least / quantity.units[unit]:f}{unit}")
        return threshold

    def _take(self, pattern: str) -> str:
        """Consume white space and then text that matches; "" if none does, with the position where it was expected."""
        self.at += len(self.text[self.at :]) - len(self.text[self.at :].lstrip())
        match = re.compile(pattern).match(self.text, self.at)
        if match is None:
            return ""
        self.at = match.end()
        return match.group()

    def _error(self, length: int, expected: str) -> UsageError:
        """An error that points at the last `length` characters."""
        shown = re.sub(r"\s", " ", self.text)
        said = expected if expected.endswith("?") else f"{expected}."
        return UsageError(f"The {self.noun} {self.text!r} does not parse: {said}\n    {shown}\n    {' ' * (self.at - length)}^")


def _percentile(word: str) -> str:
    """ "p99.9" in its shortest form; "" if the word is not a percentile."""
    if re.fullmatch(r"p\d{1,2}(\.\d+)?", word, re.ASCII) and 0 < float(word[1:]) < 100:
        return f"p{Decimal(word[1:]).normalize():f}"
    return ""


class _TrainingParser(Parser):
    metrics: ClassVar[Collection[str]] = (*_OF_SCRIPTS, "recovery", "max")
