"""What errors of the operating system are told as: what was asked, what was found, what to do next."""

from __future__ import annotations

import errno
import os

from harness.model.errors import broke_off


def test_a_run_that_breaks_off_says_what_to_do_if_the_disk_is_full() -> None:
    full = broke_off("runs/a", OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
    assert str(full) == (
        "The run in runs/a broke off: No space left on device. Free space there, or choose another place with --runs."
    )
    lost = broke_off("runs/a", OSError(errno.EIO, os.strerror(errno.EIO)))
    assert str(lost) == "The run in runs/a broke off: Input/output error."
    assert (full.exit_code, lost.exit_code) == (70, 70)
