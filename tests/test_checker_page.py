"""docs/checkers.md is up to date with the checkers of this tree."""

from __future__ import annotations

from pathlib import Path

from harness.cli.checker_page import page
from harness.run import catalog

PAGE = Path(__file__).parent.parent / "docs" / "checkers.md"


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text() == page(), "run: python -m harness.cli.checker_page > docs/checkers.md"


def test_every_checker_says_what_it_asks() -> None:
    for name, checker in catalog.checkers().items():
        assert checker.__doc__, name
        assert f"## {name}\n" in page()
