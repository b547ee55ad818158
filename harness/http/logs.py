"""How servers log errors of their handlers. A node passes its own log, so that each line names the node."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable

Log = Callable[[str], None]
"""Takes a text of one or more lines."""


def to_stderr(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def log_exception(log: Log, error: BaseException) -> None:
    """Log an exception with its traceback."""
    log("".join(traceback.format_exception(error)).rstrip())
