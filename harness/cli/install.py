"""Install the program of a foreign system, for those that no package of theirs holds."""

from __future__ import annotations

import argparse

from harness.run import catalog


def add_options(parser: argparse.ArgumentParser) -> None:
    """Which."""
    parser.add_argument("system", metavar="SYSTEM", help="such as etcd")


def execute(arguments: argparse.Namespace) -> int:
    """Install, and print where it is."""
    print(catalog.find_installable(arguments.system).install())
    return 0
