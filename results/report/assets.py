"""Renders the templates of the report's pages with their style and script, and writes pages to files."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from harness.model.errors import UsageError, cannot_write

_OPTION: Final = re.compile(r"(?<!\S)(--?[\w-]*)")
_TEMPLATES: Final = Path(__file__).parent / "template"


def render_template(name: str, **values: object) -> str:
    """Render a template with its values. Every template also gets `css` and `js`."""
    return _environment().get_template(name).render(css=_file("page.css"), js=_file("page.js"), **values)


def write_page(text: str, out: Path) -> None:
    """Write a page atomically. Raises `HarnessError` if it cannot be written."""
    with _part_of(out) as part:
        part.write_text(text, encoding="utf-8")
        part.rename(out)


def check_page(out: Path) -> None:
    """Raise `HarnessError` if a page that is written much later could not be written now. An earlier one stays as it is."""
    with _part_of(out) as part:
        part.touch()
        part.unlink()


@contextmanager
def _part_of(out: Path) -> Iterator[Path]:
    """The file that becomes the page once it is whole, in a folder that exists. If that fails, nothing of it is left."""
    part = out.parent / f"{out.name}.part"
    try:
        if out.is_dir():
            raise UsageError(f"Cannot write the report to {out}: it is a folder. Name a file, such as {out / 'report.html'}.")
        out.parent.mkdir(parents=True, exist_ok=True)
        yield part
    except OSError as error:
        with suppress(OSError):  # the first error is the one to tell
            part.unlink()
        raise cannot_write(f"the report to {out}", error) from error


@cache
def _environment() -> Environment:
    loader = FileSystemLoader(_TEMPLATES)
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["command"] = command
    return environment


def command(line: str) -> Markup:
    """A command line whose options, such as --seed, are not broken after a dash where a line ends."""
    return Markup(_OPTION.sub(r'<span class="option">\1</span>', str(escape(line))))  # noqa: S704 - escaped


def _file(name: str) -> Markup:
    return Markup((_TEMPLATES / name).read_text(encoding="utf-8"))  # noqa: S704 - a file of this package
