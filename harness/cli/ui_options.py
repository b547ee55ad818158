"""The options of `harness ui`."""

from __future__ import annotations

import argparse
from pathlib import Path

from harness.cli.load_options import above, port, whole


def add_options(ui: argparse.ArgumentParser) -> None:
    ui.add_argument(
        "drill",
        nargs="?",
        default="serving/healthy",
        metavar="DRILL",
        help="the drill whose system to start (default: serving/healthy)",
    )
    ui.add_argument(
        "--set",
        dest="settings",
        action="append",
        default=[],
        metavar="FIELD=VALUE",
        help="change the drill, such as load.rate=1000",
    )
    ui.add_argument("--seed", type=int, metavar="N", help="seed of calls, arrivals and targets")
    ui.add_argument("--fault-plane", choices=("embedded", "toxiproxy"), default="embedded")
    ui.add_argument(
        "--runs", type=Path, default=Path("runs"), metavar="DIR", help="where to keep the nodes' logs (default: runs)"
    )
    ui.add_argument("--port", type=port, default=8089, metavar="N", help="port of the web UI, on 127.0.0.1 (default: 8089)")
    ui.add_argument(
        "--per-user", type=above, default=1.0, metavar="N", help="requests a second for each locust user (default: 1)"
    )
    ui.add_argument(
        "--connections", type=whole, metavar="N", help="connections of each load process (default: the drill's load.clients)"
    )
    ui.add_argument("--depth", type=whole, default=1, metavar="N", help="requests in flight on a connection (default: 1)")
    ui.add_argument(
        "--processes", type=whole, default=1, metavar="N", help="load processes; from 2 on, locust workers (default: 1)"
    )
    ui.add_argument("--locustfile", type=Path, metavar="FILE", help="let its users make the load instead of the engine")
    ui.add_argument("--headless", action="store_true", help="no web UI: start at once with --users, stop after --run-time")
    ui.add_argument(
        "--users", type=whole, default=100, metavar="N", help="initial requests a second, in units of --per-user (default: 100)"
    )
    ui.add_argument("--spawn-rate", type=above, metavar="N", help="users to add each second (default: all at once)")
    ui.add_argument("--run-time", metavar="TIME", help="such as 30s or 2m (default: until interrupted)")
    ui.add_argument("--master", action="store_true", help="make no load here; locust workers on 127.0.0.1 do")
    ui.add_argument("--worker", metavar="URL", help="start no system; be a worker that loads URL, as printed by --master")
    ui.add_argument(
        "--master-port", type=port, default=5557, metavar="N", help="port where master and workers meet (default: 5557)"
    )
