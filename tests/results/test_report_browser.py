"""The page in a browser: many runs open at once, a link unfolds a run, and the page zooms to a contradiction."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.model.history import History
from results.record.result import CheckResult
from results.record.store import save
from results.report.page import write_report
from tests.helpers.synthetic import concluded, crash, steady

pytest.importorskip("playwright", reason="playwright is not installed: pip install -e '.[test]'")
from playwright.sync_api import Page, expect, sync_playwright

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
TIME = '[...Bokeh.documents[0].all_models].find((model) => model.name === "time")'
WRONG = CheckResult(name="linearizable", valid=False, why="k3 went back from v2 to v1", ops=(2000, 2001, 2003))

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here: apt-get install chromium")


@pytest.fixture(scope="module", params=[1280, 390], ids=["wide", "narrow"])
def page(request: pytest.FixtureRequest) -> Iterator[Page]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": request.param, "height": 900})
        page.set_default_timeout(60_000)
        expect.set_options(timeout=60_000)
        yield page
        browser.close()


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page with one failed run and others that passed."""
    folder = tmp_path_factory.mktemp("suite")
    quiet, failed = History.of(steady(rate=50, seconds=2)), crash()
    save(folder / "good", concluded(quiet, slos=("p50 < 1s",), drill="good"), quiet)
    save(folder / "long", concluded(quiet, slos=("p50 < 1s",), drill="suite/a_drill_with_a_long_name"), quiet)
    save(folder / "bad", concluded(failed, checks=(WRONG,), drill="bad"), failed)
    write_report([*[folder / "good"] * 10, folder / "long", folder / "bad"], folder / "page.html")
    return folder / "page.html"


@pytest.mark.slow
def test_only_what_is_looked_at_is_drawn_and_a_link_unfolds_it(page: Page, suite: Path) -> None:
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(suite.as_uri())
    first, last = page.locator("#run-1"), page.locator("#run-12")
    expect(first.get_by_role("heading", name="bad")).to_be_visible()
    expect(last.locator(".plot")).to_be_hidden()
    heights = page.evaluate(
        "[...document.querySelectorAll('summary > .word')].map((one) => one.getBoundingClientRect().height)"
    )
    assert max(heights) < 1.5 * min(heights)  # a verdict stays on one line, whatever its drill's name
    page.locator('a[href="#run-12"]').click()
    expect(last.locator(".plot > *").first).to_be_visible()
    assert page.locator("details.fold[open]").count() == 2
    assert page.locator(".plot > *").count() <= 2
    last.get_by_role("link", name="all drills").click()
    expect(page.locator("#all")).to_be_in_viewport()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert errors == []


@pytest.mark.slow
def test_a_contradiction_is_zoomed_to_and_a_double_click_shows_all_again(page: Page, suite: Path) -> None:
    page.goto(suite.as_uri())
    timeline = page.locator("#run-1 .timeline")
    expect(timeline.locator("i.suspect")).to_have_count(3)
    page.locator("#run-1").get_by_role("button", name="Zoom to these").click()
    expect(page.locator("#run-1 .plot > *").first).to_be_visible()
    page.wait_for_function(f"({TIME}).start > 3")
    start_s, end_s = page.evaluate(f"[({TIME}).start, ({TIME}).end]")
    assert 3 < start_s < 4 < 4.006 < end_s < 6
    page.locator("#run-1 .plot").dblclick(position={"x": 200, "y": 60})
    page.wait_for_function(f"({TIME}).start < 0")
