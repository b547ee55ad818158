"""The nights' page in a browser: keyboard navigation works, gaps show their cause, and it fills the window's width."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from results.report.nightly_page import write_nightly_page
from results.trends.judging import judge
from results.trends.nightly import Nightly
from tests.helpers.effort import left_to_ci
from tests.helpers.outcomes import HOSTILE, figures, moved, nights, run

pytest.importorskip("playwright", reason="playwright is not installed: pip install -e '.[test]'")
from playwright.sync_api import Page, expect, sync_playwright

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here: apt-get install chromium")


@pytest.fixture(scope="module", params=[left_to_ci(1280, id="wide"), pytest.param(500, id="narrow")])
def page(request: pytest.FixtureRequest) -> Iterator[Page]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": request.param, "height": 900})
        page.set_default_timeout(60_000)
        yield page
        browser.close()


@pytest.mark.slow
def test_the_keyboard_goes_through_nights_and_a_gap_tells_its_cause(page: Page, tmp_path: Path) -> None:
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    write_nightly_page(moved(), tmp_path / "page.html")
    page.goto((tmp_path / "page.html").as_uri())
    assert page.title() == "1 figure got worse"
    page.locator('.cell[tabindex="0"]').focus()
    tip = page.locator(".tip")
    expect(tip).to_contain_text("unknown")
    expect(tip).to_contain_text(f"late {HOSTILE}")
    page.keyboard.press("ArrowLeft")
    expect(tip).to_contain_text("2026-01-12")
    expect(tip).to_contain_text("passed")
    trend = page.locator(".trend.tall")
    trend.focus()
    expect(tip).to_contain_text("p50 13 ms")
    expect(tip).to_contain_text("moved in this night")
    page.keyboard.press("Home")
    expect(tip).to_contain_text("2026-01-01")
    page.keyboard.press("Escape")
    expect(tip).to_be_hidden()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert errors == []


@pytest.mark.slow
def test_older_nights_are_a_page_away(page: Page, tmp_path: Path) -> None:
    write_nightly_page(Nightly(nights=nights([[run()]] * 100), findings=judge([])), tmp_path / "page.html")
    page.goto((tmp_path / "page.html").as_uri())
    expect(page.locator("#newer")).to_be_disabled()
    shown = page.locator("#grid .cell").count()
    for _ in range(99 // shown):
        page.locator("#older").click()
    expect(page.locator("#older")).to_be_disabled()
    expect(page.locator("#span")).to_contain_text("2026-01-01")


@pytest.mark.slow
def test_a_share_is_100_percent_only_where_nothing_is_missing(page: Page, tmp_path: Path) -> None:
    series = figures([1.0] * 29 + [0.9999996], name="availability", unit="")
    write_nightly_page(Nightly(nights=nights([[run()]] * 30), findings=judge([series])), tmp_path / "page.html")
    page.goto((tmp_path / "page.html").as_uri())
    page.locator(".trend").focus()
    tip = page.locator(".tip")
    expect(tip).to_contain_text("availability 99.99996 %")
    page.keyboard.press("ArrowLeft")
    expect(tip).to_contain_text("availability 100 %")
