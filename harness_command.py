"""The `harness` command, from its first line on: what it imports takes a while, and Ctrl-C ends that without a traceback, too.

It stands alone and imports little, because importing the package `harness` is a part of that while.
"""

from __future__ import annotations

import os
import signal

_INTERRUPTED = 130
_STDERR = 2


def main() -> None:
    """Import the command line and run it. Until it runs nothing is started, so an interrupt ends the process at once."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # and not ignored, as for a script's background jobs
        signal.signal(signal.SIGINT, _leave)
    from harness.cli.main import main as command_line

    command_line()


def _leave(*_: object) -> None:
    """End without an exception: in the middle of an import, it could be taken for a module that is missing or broken."""
    try:
        os.write(_STDERR, b"interrupted: nothing was started yet\n")
    except OSError:  # nobody reads it
        pass
    finally:
        os._exit(_INTERRUPTED)
