"""Add this project's own toxics to links, for the faults made of one toxic, and prove that it acted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from harness.model.environment import Environment
from harness.model.errors import UsageError
from harness.model.evidence import Evidence, Targets
from harness.model.window_work import all_done

Stream = Literal["upstream", "downstream"]
BOTH: Final[tuple[Stream, ...]] = ("upstream", "downstream")

_LISTED: Final = 4


@dataclass(frozen=True, kw_only=True)
class Toxic:
    """One kind of toxic with its attributes, for each of the `streams` of every link of a window."""

    kind: str
    streams: Sequence[Stream] = BOTH
    attributes: Mapping[str, float | str] = field(default_factory=dict)
    toxicity: float = 1.0
    """The share of connections that it affects."""
    counts: str
    """What its hits count: "bytes corrupted"."""

    async def put(self, environment: Environment, targets: Targets) -> Evidence:
        """Add it to the links. Whether it acts is known only at the end."""
        await all_done(
            environment.links.add_toxic(
                link.name,
                f"{targets.label}_{stream}",
                kind=self.kind,
                stream=stream,
                attributes=self.attributes,
                toxicity=self.toxicity,
            )
            for link in targets.links
            for stream in self.streams
        )
        return Evidence(acted=None, text="")

    async def take(self, environment: Environment, targets: Targets) -> Evidence:
        """Remove it. Evidence is the fault plane's count of its hits, which is 0 if there was no traffic."""
        names = [(link.name, f"{targets.label}_{stream}") for link in targets.links for stream in self.streams]
        try:
            hits = await environment.links.toxic_hits()
        finally:
            await all_done(environment.links.remove_toxic(link, name) for link, name in names)
        by_link: dict[str, int] = {}
        for link, name in names:
            if count := hits.get((link, name), 0):
                by_link[link] = by_link.get(link, 0) + count
        if not by_link:
            return Evidence(acted=False, text=f"no {self.counts} on {len(targets.links)} links")
        most = sorted(by_link.items(), key=lambda item: -item[1])
        listed = ", ".join(f"{link} {count:,}" for link, count in most[:_LISTED])
        more = f" and {len(most) - _LISTED} more" if len(most) > _LISTED else ""
        return Evidence(acted=True, text=f"{sum(by_link.values()):,} {self.counts}: {listed}{more}")


def check(fault: str, name: str, value: float, least: float, most: float) -> None:
    """Raise `UsageError` unless a fault's parameter is from `least` to `most`."""
    if not least <= value <= most:
        raise UsageError(f"{fault}({name}={value!r}): must be from {least:g} to {most:,.10g}.")
