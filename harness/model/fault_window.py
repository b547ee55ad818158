"""A fault window of a run: what was planned, when it was in effect, and the evidence."""

from __future__ import annotations

import msgspec
import pandas as pd

from harness.model.columns import plain

Parameter = bool | int | float | str | None


class FaultWindow(msgspec.Struct, kw_only=True):
    """One window of a run: planned from `from_s` to `to_s`, in effect from `injected_s` to `healed_s`.

    All four are seconds since the load began; `injected_s` and `healed_s` are None if that never happened.
    """

    kind: str
    """The fault's class: "Latency"."""
    label: str
    """Its name within the run: "w0"."""
    selector: str
    """Its target as the drill gives it: "one", or a name."""
    from_s: float
    to_s: float
    parameters: dict[str, Parameter] = {}
    """The fault's fields without its target: {"delay_ms": 50}."""
    targets: tuple[str, ...] = ()
    """The nodes or links that it hit."""
    injected_s: float | None = None
    healed_s: float | None = None
    acted: bool | None = None
    """Whether it was seen to act, from outside the system; None if that is not known."""
    evidence: str = ""

    @property
    def text(self) -> str:
        """The fault as a drill writes it, without its target: "Latency(delay_ms=50)"."""
        inside = ", ".join(f"{name}={_written(value)}" for name, value in self.parameters.items())
        return f"{self.kind}({inside})" if inside else self.kind


def _written(value: Parameter) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def row_of(window: FaultWindow) -> dict[str, object]:
    """A window as a row of the history's `windows`."""
    return {
        "label": window.label,
        "fault": window.kind,
        "parameters": msgspec.json.encode(window.parameters).decode(),
        "selector": window.selector,
        "targets": " ".join(window.targets),
        "from_s": window.from_s,
        "to_s": window.to_s,
        "injected_ns": None if window.injected_s is None else round(window.injected_s * 1e9),
        "healed_ns": None if window.healed_s is None else round(window.healed_s * 1e9),
        "acted": window.acted,
        "evidence": window.evidence,
    }


def windows_of(rows: pd.DataFrame) -> tuple[FaultWindow, ...]:
    """The rows of a history's `windows`, as windows."""
    columns = {name: plain(rows[name]) for name in rows}
    return tuple(
        FaultWindow(
            kind=row["fault"] or "",
            parameters=msgspec.json.decode(row["parameters"] or "{}", type=dict[str, Parameter]),
            label=row["label"] or "",
            selector=row["selector"] or "",
            targets=tuple((row["targets"] or "").split()),
            from_s=row["from_s"],
            to_s=row["to_s"],
            injected_s=None if row["injected_ns"] is None else row["injected_ns"] / 1e9,
            healed_s=None if row["healed_ns"] is None else row["healed_ns"] / 1e9,
            acted=None if row["acted"] is None else bool(row["acted"]),
            evidence=row["evidence"] or "",
        )
        for row in (dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True))
    )
