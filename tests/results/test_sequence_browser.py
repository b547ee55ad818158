"""The chart of messages in a browser: nothing lies over anything else, whatever the width and however many calls overlap."""

from __future__ import annotations

import shutil
from itertools import pairwise
from pathlib import Path

import pytest

from results.record.sequence import ChartedCall, HostEvent, SentMessage, SequenceChart
from results.report.sequence_page import write_sequence_page

pytest.importorskip("playwright", reason="playwright is not installed: pip install -e '.[test]'")
from playwright.sync_api import Locator, sync_playwright

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here: apt-get install chromium")


def chart(calls: int) -> SequenceChart:
    """`calls` calls at once, of which the first shows what is wrong."""
    return SequenceChart(
        title="a/b, seed 1",
        verdict="it went wrong",
        hosts=("client", "n1", "n2", "n3"),
        messages=(SentMessage(sent_s=1.0, arrived_s=1.1, source="client", target="n1", text="PUT"),),
        events=(HostEvent(at_s=1.05, host="n2", kind="end", detail="SIGKILL"),),
        calls=tuple(ChartedCall(from_s=1.0, to_s=1.2, text="write", marked=not call) for call in range(calls)),
        left_out=0,
    )


def edges(found: Locator) -> list[tuple[float, float]]:
    """The left and right edges of elements."""
    boxes = [box for one in found.all() if (box := one.bounding_box()) is not None]
    return [(box["x"], box["x"] + box["width"]) for box in boxes]


@pytest.mark.slow
@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("calls", [0, 100])
def test_nothing_lies_over_anything_else(tmp_path: Path, width: int, calls: int) -> None:
    write_sequence_page(chart(calls), tmp_path / "messages.html")
    said: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": width, "height": 900})
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto((tmp_path / "messages.html").as_uri())
        names = edges(page.locator("#chart text.name"))
        drawn = edges(page.locator(".legend path, .legend rect"))
        words = page.evaluate(
            """() => [...document.querySelectorAll('.legend li')].map((one) => {
                const range = document.createRange();
                range.selectNodeContents(one.lastChild);
                return range.getBoundingClientRect().left;
            })"""
        )
        assert page.locator("#chart rect.call").count() == calls
        browser.close()
    assert said == []
    assert len(names) == 4
    assert all(left[1] < right[0] for left, right in pairwise(names)), names
    assert all(right <= word for (_, right), word in zip(drawn, words, strict=True)), (drawn, words)
