"""Names of models: a file in `models`, followed by a size in parentheses if it has one, such as "dense(963)"."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from harness.model.errors import UsageError, hint

NAMES: Final = sorted(file.stem for file in (Path(__file__).parent / "models").glob("[a-z]*.py"))

_SIZE: Final = re.compile(r"\(([1-9]\d*)\)")


def parsed(text: str) -> tuple[str, int | None]:
    """A model's name, and its size if one is given. Imports no PyTorch.

    Raises `UsageError` if there is no such model, or the text in parentheses is not a size.
    """
    name, bracket, _ = text.partition("(")
    if name not in NAMES:
        raise UsageError(f"model={text!r}: there is no such model. {hint(name, NAMES)}")
    if not bracket:
        return name, None
    size = _SIZE.fullmatch(text.removeprefix(name))
    if size is None:
        raise UsageError(f"model={text!r}: a size is a whole number above 0, as in 'dense(963)'.")
    return name, int(size[1])
