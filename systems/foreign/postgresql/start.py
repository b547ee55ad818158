"""Prepares a PostgreSQL server before each start: creates it, copies it from the primary, or leaves it as it is."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from harness.model.system import Address
from harness.node.context import NodeSpec
from systems.foreign.postgresql import programs

_USER: Final = "harness"
_CLUSTER: Final = "cluster"
_TABLE: Final = "CREATE TABLE registers (key text PRIMARY KEY, value text NOT NULL);\n"
_AGAIN_S: Final = 0.1


def setup(spec: NodeSpec) -> Sequence[str]:
    """Prepare the folder `cluster`; returns no arguments, because none are needed.

    Initially the first node is created, and the other one is its copy. A server that restarts while another one is the
    primary becomes a copy of that one: what only it had is lost, as after `pg_rewind`. Otherwise it keeps its role.
    """
    programs.not_as_root()
    found = programs.folder()
    if found is None:
        sys.exit("PostgreSQL's programs are no longer there")
    [(peer, address)] = spec.peers.items()
    if spec.start:
        if _is_primary(found, address):
            _copy(found, spec.name, address)
    elif spec.name < peer:
        _make(found)
    else:
        while not _is_primary(found, address):
            time.sleep(_AGAIN_S)
        _copy(found, spec.name, address)
    return []


def _make(found: Path) -> None:
    """Create the files and sync them to disk: otherwise the first recovery after a crash writes them all, which takes long."""
    options = ("-U", _USER, "-A", "trust", "-E", "UTF8", "--locale", "C", "--wal-segsize", "1")
    subprocess.run([found / "initdb", "-D", _CLUSTER, *options], check=True, stdout=subprocess.DEVNULL)
    subprocess.run([found / "postgres", "--single", "-D", _CLUSTER, "postgres"], input=_TABLE.encode(), check=True)


def _copy(found: Path, name: str, address: Address) -> None:
    shutil.rmtree(_CLUSTER, ignore_errors=True)
    primary = f"{_primary(address)} application_name={name}"
    options = ("--checkpoint", "fast", "--wal-method", "stream", "--write-recovery-conf")
    subprocess.run([found / "pg_basebackup", "-D", _CLUSTER, "-d", primary, *options], check=True)


def _is_primary(found: Path, address: Address) -> bool:
    """Whether a server says that it accepts writes; False if it does not answer."""
    question = (found / "psql", "-d", f"{_primary(address)} dbname=postgres", "-Atc", "SELECT pg_is_in_recovery()")
    return subprocess.run(question, check=False, capture_output=True).stdout == b"f\n"


def _primary(address: Address) -> str:
    host, port = address
    return f"host={host} port={port} user={_USER} connect_timeout=2"
