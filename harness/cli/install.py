"""Install a foreign system that has no package, such as etcd or Cassandra."""

from __future__ import annotations

import argparse

from harness.run import catalog


def add_options(parser: argparse.ArgumentParser) -> None:
    """Which system."""
    parser.add_argument("system", metavar="SYSTEM", help="etcd or cassandra")


def execute(arguments: argparse.Namespace) -> int:
    """Install it, and print where it is."""
    print(catalog.find_installable(arguments.system).install())
    return 0
