"""How many files and connections a process may have open at once.

The usual soft limit is 1,024, for the sake of programs that use select(2): less than the connections of a large load. Those
that the kernel then refuses would look like failures of the system.
"""

from __future__ import annotations

import resource


def allow_most() -> None:
    """Let this process have as many open as its hard limit allows (getrlimit(2))."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
