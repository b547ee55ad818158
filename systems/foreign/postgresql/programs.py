"""Finds PostgreSQL's programs, and a user who can run them."""

from __future__ import annotations

import ctypes
import os
import pwd
import shutil
from pathlib import Path
from typing import Final

_CLONE_NEWUSER: Final = 0x10000000
_NOBODY: Final = "nobody"


def folder() -> Path | None:
    """The folder of `initdb` and `postgres`: from PATH, or Debian's newest."""
    on_path = shutil.which("initdb")
    if on_path is not None:
        return Path(on_path).resolve().parent
    kept = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parent.parent.name))
    return kept[-1].parent if kept else None


def why_not_here() -> str | None:
    """Why PostgreSQL cannot run here, in one line; None if it can."""
    if folder() is None:
        return "PostgreSQL needs its server, which is not installed: apt install postgresql"
    if os.geteuid() == 0 and not Path("/proc/self/ns/user").exists():
        return "PostgreSQL refuses to run as root, and this kernel has no user namespaces: run the harness as another user"
    return None


def not_as_root() -> None:
    """If this process is root's, enter a user namespace as the user "nobody": PostgreSQL refuses to run as root.

    Outside the namespace the process remains root's, so files and signals work as before: see user_namespaces(7). Raises
    `OSError` if the kernel does not allow this.
    """
    if os.geteuid() != 0:
        return
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWUSER) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{os.strerror(number)}: PostgreSQL refuses to run as root, and root cannot make user namespaces")
    nobody = pwd.getpwnam(_NOBODY)
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{nobody.pw_uid} 0 1")
    Path("/proc/self/gid_map").write_text(f"{nobody.pw_gid} 0 1")
