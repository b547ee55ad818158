"""The options of `harness ui`."""

from __future__ import annotations

import argparse
from pathlib import Path

from harness.cli.load_options import above, whole


def add_options(ui: argparse.ArgumentParser) -> None:
    ui.add_argument(
        "drill", nargs="?", default="serving/healthy", metavar="DRILL", help="whose system to start (serving/healthy)"
    )
    ui.add_argument("--set", dest="settings", action="append", default=[], metavar="FIELD=VALUE", help="change the drill")
    ui.add_argument("--seed", type=int, metavar="N")
    ui.add_argument("--fault-plane", choices=("embedded", "toxiproxy"), default="embedded")
    ui.add_argument("--runs", type=Path, default=Path("runs"), metavar="DIR", help="where the nodes' logs are kept (runs)")
    ui.add_argument("--port", type=int, default=8089, metavar="N", help="of the web UI, on 127.0.0.1 (8089)")
    ui.add_argument(
        "--per-user", type=above, default=1.0, metavar="N", help="requests a second that one of locust's users stands for (1)"
    )
    ui.add_argument("--connections", type=whole, metavar="N", help="of each process that makes load (the drill's load.clients)")
    ui.add_argument("--depth", type=whole, default=1, metavar="N", help="requests under way on a connection (1)")
    ui.add_argument(
        "--processes", type=whole, default=1, metavar="N", help="that make the load; from 2 on, locust's workers (1)"
    )
    ui.add_argument("--locustfile", type=Path, metavar="FILE", help="its users make the load, and not the engine")
    ui.add_argument("--headless", action="store_true", help="no web UI: begin at once with --users, end after --run-time")
    ui.add_argument(
        "--users", type=whole, default=100, metavar="N", help="requests a second to begin with, in units of --per-user (100)"
    )
    ui.add_argument("--spawn-rate", type=above, metavar="N", help="how many more each second (all at once)")
    ui.add_argument("--run-time", metavar="TIME", help="such as 30s or 2m; without it, until it is interrupted")
    ui.add_argument("--master", action="store_true", help="make no load here: locust's workers do, from 127.0.0.1")
    ui.add_argument("--worker", metavar="URL", help="start no system: a worker that loads this one, as --master prints it")
    ui.add_argument("--master-port", type=int, default=5557, metavar="N", help="where master and workers meet (5557)")
