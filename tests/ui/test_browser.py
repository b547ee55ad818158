"""The web UI as a person uses it: start, break, look, heal, stop."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.served import DEADLINE_S, Served, served

pytest.importorskip("playwright", reason="playwright is not installed: pip install -e '.[test]'")
from playwright.sync_api import Page, expect, sync_playwright

SHOTS = os.environ.get("HARNESS_UI_SCREENSHOTS")
"""A folder for screenshots of each step, to look at."""


@pytest.fixture
def page() -> Iterator[Page]:
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("there is no Chromium here: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 1000})
        page.set_default_timeout(DEADLINE_S * 1000)
        yield page
        browser.close()


@pytest.fixture
def ui(tmp_path: Path) -> Iterator[Served]:
    with served(tmp_path, "serving/healthy") as one:
        yield one


MARKED = """() => {
  const charts = [...document.querySelectorAll("[_echarts_instance_]")].map(chartOf);
  const marked = (chart) => chart && chart.getOption().series.some((one) => one.id === "harness-fault-0");
  return charts.length === 3 && charts.every(marked);
}"""


def look(page: Page, name: str) -> None:
    if SHOTS:
        page.screenshot(path=str(Path(SHOTS) / f"{name}.png"), full_page=True)


@pytest.mark.slow
def test_a_fault_is_injected_seen_and_healed_while_load_runs(ui: Served, page: Page, tmp_path: Path) -> None:
    expect.set_options(timeout=DEADLINE_S * 1000)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(ui.url)
    expect(page.locator("#harness-node-rows")).to_be_visible()
    look(page, "1-form")
    expect(page.get_by_label("Rate, in requests/s")).to_be_visible()
    page.locator('input[name="userCount"]').fill("200")
    page.locator('input[name="spawnRate"]').fill("200")
    page.get_by_role("button", name="Start").click()

    statistics = page.get_by_role("row").filter(has_text="/predict")
    expect(statistics).to_be_visible()
    expect(page.locator("#harness-faults")).to_be_hidden()
    look(page, "2-statistics")

    page.get_by_role("tab", name="Faults").click()
    page.locator("#harness-fault").select_option("Pause")
    page.locator("#harness-target").select_option("r2")
    page.get_by_role("button", name="Inject").click()
    window = page.locator("tr[data-label=m0]")
    expect(window).to_have_attribute("data-state", "holds")
    expect(window).to_contain_text(re.compile(r"\d\d:\d\d:\d\d"))
    expect(page.locator("tr[data-node=r2]")).to_contain_text("stopped")
    expect(page.locator("tr[data-node=r2]")).to_contain_text("Pause")
    look(page, "3-injected")

    page.get_by_role("tab", name="Charts").click()
    page.wait_for_function(MARKED)
    page.wait_for_timeout(4000) if SHOTS else None
    look(page, "4-charts")
    page.get_by_role("tab", name="Faults").click()
    window.get_by_role("button", name="Heal").click()
    expect(window).to_have_attribute("data-state", "over")
    expect(window).to_contain_text("r2 was stopped until the end")
    expect(page.locator("tr[data-node=r2]")).not_to_contain_text("stopped")
    look(page, "5-healed")

    page.get_by_role("button", name="Stop", exact=True).click()
    expect(page.get_by_role("button", name="New", exact=False).first).to_be_visible()
    look(page, "6-stopped")

    report = tmp_path / "report.html"
    report.write_text(ui.ask("GET", "/stats/report?download=1")[1])
    page.goto(f"file://{report}")
    page.wait_for_function(MARKED)
    expect(page.locator("#harness-faults")).to_contain_text("acted: r2 was stopped until the end")
    look(page, "7-report")
    assert not errors


@pytest.mark.slow
def test_the_tab_is_as_dark_as_locusts_page_and_no_wider_than_a_phone(ui: Served, page: Page) -> None:
    expect.set_options(timeout=DEADLINE_S * 1000)
    page.emulate_media(color_scheme="dark")
    page.set_viewport_size({"width": 400, "height": 900})
    page.goto(ui.url)
    expect(page.locator("#harness-faults")).to_have_css("background-color", "rgb(18, 18, 18)")
    look(page, "8-dark")
    expect(page.locator("body")).to_have_css("background-color", "rgb(18, 18, 18)")
    assert page.evaluate("document.getElementById('harness-faults').scrollWidth") <= 400
    page.emulate_media(color_scheme="light")
    page.evaluate("localStorage.clear()")
    page.reload()
    expect(page.locator("#harness-faults")).to_have_css("background-color", "rgb(255, 255, 255)")


@pytest.mark.slow
def test_a_time_that_is_none_is_refused_in_a_line(ui: Served, page: Page) -> None:
    expect.set_options(timeout=DEADLINE_S * 1000)
    page.goto(ui.url)
    page.locator("#harness-seconds").fill("abc")
    page.get_by_role("button", name="Inject").click()
    expect(page.locator("#harness-says")).to_have_text('Seconds: "abc" is not a number above 0.')


@pytest.mark.slow
def test_a_fault_that_cannot_be_is_refused_in_a_line(ui: Served, page: Page) -> None:
    expect.set_options(timeout=DEADLINE_S * 1000)
    page.goto(ui.url)
    page.locator("#harness-fault").select_option("Latency")
    page.locator('#harness-fields input[name="delay_ms"]').fill("-1")
    page.get_by_role("button", name="Inject").click()
    expect(page.locator("#harness-says")).to_contain_text("needs 1 <= delay_ms")
    expect(page.locator("#harness-window-rows")).to_contain_text("no fault so far")
