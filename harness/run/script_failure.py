"""Why a script's command failed, from its output: torchrun ends that with a box that seldom says so."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final

from harness.cluster.warden_client import last_lines, shortened

_READ_BYTES: Final = 1 << 20
_TORCHRUN: Final = re.compile(
    r"^Root Cause \(first observed failure\):\n(?:.*\n){0,12}?"
    r"  rank +: (?P<rank>\d+) .*\n"
    r"  exitcode +: (?P<code>-?\d+) .*\n"
    r"(?:.*\n){0,12}?"
    r"  traceback : (?P<traceback>.*)",
    re.MULTILINE,
)
_ERROR: Final = re.compile(
    r"^(?:\[rank(?P<rank>\d+)\]: )?"
    r"(?P<error>[A-Za-z_][\w.]*(?:Error|Exception|Interrupt|Exit|Timeout)\b.*"
    r"|\S*python\S*: (?:can't open file|No module named) .*)$",
    re.MULTILINE,
)
_OWN: Final = "torch.distributed.elastic."
"""Errors of torchrun itself, which only repeat that a rank failed."""

_ABORT: Final = "terminate called without an active exception"
"""What C++ prints if Python, as it ends, stops a thread of gloo that waits for it."""
_SIGABRT: Final = -6


def cause_of(log: Path) -> str:
    """The cause in one clause: the error of the rank that failed first if the launcher is torchrun, else the output's end."""
    text = _end_of(log)
    boxes = list(_TORCHRUN.finditer(text))
    if not boxes:
        return f"its output ends: {last_lines(log, 3)}"
    box = boxes[-1]
    if box["traceback"].startswith("Signal "):
        return f"rank{box['rank']} failed first: {box['traceback']}"
    errors = [one for one in _ERROR.finditer(text, 0, box.start()) if not one["error"].startswith(_OWN)]
    chosen = [one for one in errors if one["rank"] == box["rank"]] or [one for one in errors if one["rank"] is None]
    what = shortened(chosen[-1]["error"].strip()) if chosen else f"exit code {box['code']}"
    return f"rank{box['rank']} failed first: {what}"


def aborted_at_exit(log: Path) -> bool:
    """Whether torch aborted a rank as Python ended, and no other rank failed before."""
    text = _end_of(log)
    boxes = list(_TORCHRUN.finditer(text))
    return _ABORT in text and (not boxes or int(boxes[-1]["code"]) == _SIGABRT)


def _end_of(log: Path) -> str:
    try:
        with log.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - _READ_BYTES))
            return file.read().decode(errors="replace")
    except FileNotFoundError:
        return ""
