"""docs/faults.md is up to date with the faults and drills of this tree."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.cli.fault_page import page
from harness.run import catalog

PAGE = Path(__file__).parent.parent / "docs" / "faults.md"


@pytest.fixture(scope="module")
def text() -> str:
    return page()


def test_the_page_is_up_to_date(text: str) -> None:
    assert PAGE.read_text() == text, "run: python -m harness.cli.fault_page > docs/faults.md"


def test_every_fault_says_what_it_models_and_has_a_drill(text: str) -> None:
    for kind in catalog.fault_classes():
        title, _, rest = (kind.__doc__ or "").partition("\n")
        assert title and rest.strip(), f"{kind.__name__}: its docstring says what it is, and below that what it models"
        assert f"## {kind.__name__}\n" in text
    assert "Drills: none." not in text
