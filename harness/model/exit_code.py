"""Exit codes of processes, as Python reports them."""

from __future__ import annotations

import signal


def end_of(code: int) -> str:
    """How a process ended, by its exit code or by -N for signal N: "exit code 3", "SIGKILL", "signal 35"."""
    if code >= 0:
        return f"exit code {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:  # most real-time signals have no name
        return f"signal {-code}"
