"""Renders the templates of the report's pages with their style and script, and writes pages to files."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from harness.model.errors import cannot_write

_TEMPLATES: Final = Path(__file__).parent / "template"


def render_template(name: str, **values: object) -> str:
    """Render a template with its values. Every template also gets `css` and `js`."""
    return _environment().get_template(name).render(css=_file("page.css"), js=_file("page.js"), **values)


def write_page(text: str, out: Path) -> None:
    """Write a page atomically. Raises `HarnessError` if it cannot be written."""
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        part = out.with_name(f"{out.name}.part")
        part.write_text(text, encoding="utf-8")
        part.rename(out)
    except OSError as error:
        raise cannot_write(f"the report to {out}", error) from error


@cache
def _environment() -> Environment:
    loader = FileSystemLoader(_TEMPLATES)
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)


def _file(name: str) -> Markup:
    return Markup((_TEMPLATES / name).read_text(encoding="utf-8"))  # noqa: S704 - a file of this package
