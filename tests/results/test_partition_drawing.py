"""The page's picture of a partitioned store, from the maps of its coordinator."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pandas as pd
import pytest

from harness.model.history import EVENTS, History, frame
from results.analysis.partitions import division
from results.report.partition_drawing import partition_drawing
from tests.helpers.transcript import history

CALLS = "\n".join(f"c1 read x null {at}..{at + 1} ok node={'n1' if at < 700 else 'n2'}" for at in range(0, 1000, 10))


def told(*events: tuple[str, str, dict[str, object]], method: str = "slots") -> History:
    rows = [
        (at, node, kind, msgspec.json.encode({**detail, **({"method": method} if kind == "map" else {})}).decode())
        for at, (node, kind, detail) in enumerate(events)
    ]
    return replace(history(CALLS), events=frame(EVENTS, pd.DataFrame(rows, columns=list(EVENTS))))


def mapped(epoch: int, whole: bool, *partitions: tuple[str, list[str]]) -> tuple[str, str, dict[str, object]]:
    listed = [[low, epoch, owners, []] for low, owners in partitions]
    return "coordinator", "map", {"epoch": epoch, "whole": whole, "partitions": listed}


JOINED = (
    mapped(1, True, ("", ["n1"]), ("8000000000000000", ["n1"]), ("c000000000000000", ["n1"])),
    mapped(2, False, ("8000000000000000", ["n2"])),
    ("n2", "copied", {"low": "8000000000000000", "move": 2, "taken_bytes": 700, "of_bytes": 700}),
)


def test_maps_are_put_together_from_what_changed() -> None:
    found = division(told(*JOINED))
    assert found is not None
    assert found.before.held == {"n1": 1.0}
    assert found.after.held == pytest.approx({"n1": 0.75, "n2": 0.25})
    assert found.after.owner_at("9") == "n2"
    assert found.copied_bytes == {"n2": 700}


def test_ranges_are_drawn_alike_and_a_split_is_followed() -> None:
    split = mapped(2, True, ("", ["n1"]), ("m", ["n2"]), ("p", ["n2"]), ("x", ["n1"]))
    found = division(told(mapped(1, True, ("", ["n1"]), ("m", ["n2"])), split, method="range"))
    assert found is not None
    assert found.before.begins == (0.0, 0.5)
    assert found.after.begins == (0.0, 0.25, 0.5, 0.75)
    assert found.before.owner_at("x") == "n2"


def test_what_has_another_owner_is_marked_in_the_colour_of_the_old_one() -> None:
    drawn = partition_drawing(told(*JOINED))
    assert drawn is not None
    before, after = drawn.rings
    assert len(before.arcs) == 3
    assert [arc.tip for arc in after.arcs[3:]] == ["n1 → n2"]
    assert after.arcs[3].colour == dict(drawn.legend)["n1"]
    assert "1 of 3" in after.caption
    assert [row.cells for row in drawn.nodes.rows] == [
        ("n1", "100.0%", "75.0%", "0", "100.0%", "11.8%"),
        ("n2", "0.0%", "25.0%", "700", "0.0%", "88.2%"),
    ]


def test_a_single_partition_is_a_whole_ring() -> None:
    drawn = partition_drawing(told(mapped(1, True, ("", ["n1"]))))
    assert drawn is not None
    [arc] = drawn.rings[0].arcs
    assert arc.path.count("A") == 2


def test_runs_of_other_systems_have_none() -> None:
    assert partition_drawing(history(CALLS)) is None
    assert partition_drawing(told(("coordinator", "map", {"epoch": "one"}))) is None


@pytest.mark.parametrize(
    ("method", "maps"),
    [
        ("slots", (mapped(1, True),)),
        ("slots", (mapped(1, True, ("", ["n1"])), mapped(2, False, ("", [])))),  # its last owner has gone
        ("slots", (mapped(1, True, ("", ["n1"]), ("orders", ["n2"])),)),
        ("range", (mapped(1, True, ("m", ["n1"])), mapped(2, True, ("", ["n1"])))),
    ],
)
def test_a_map_that_cannot_be_drawn_leaves_the_rest_of_the_page(
    method: str, maps: tuple[tuple[str, str, dict[str, object]], ...]
) -> None:
    assert partition_drawing(told(*maps, method=method)) is None
