"""The options of `harness load`."""

from __future__ import annotations

import argparse
import math
from pathlib import Path


def add_options(load: argparse.ArgumentParser) -> None:
    load.add_argument("url", metavar="URL", help="such as http://127.0.0.1:8000/predict")
    load.add_argument("--rate", type=above, default=1000.0, metavar="N", help="calls a second (1000)")
    load.add_argument("--arrivals", choices=("constant", "poisson"), default="poisson")
    load.add_argument("--shape", metavar="JSON", help='how the rate changes: {"type":"Spikes","peak":4,"every_s":5,"for_s":1}')
    load.add_argument("--seconds", type=above, default=10.0, metavar="S", help="how long, or of --find-max each step (10)")
    load.add_argument("--warm-up", type=_least, default=1.0, metavar="S", help="load before that, which is not counted (1)")
    load.add_argument("--connections", type=whole, default=16, metavar="N", help="(16)")
    load.add_argument("--depth", type=whole, default=1, metavar="N", help="requests under way on a connection (1)")
    load.add_argument("--processes", type=whole, default=1, metavar="N", help="that make the load (1)")
    load.add_argument("--method", metavar="WORD", help="GET, or POST where there is a body")
    load.add_argument("--header", dest="headers", action="append", default=[], metavar="'NAME: VALUE'")
    load.add_argument("--body", metavar="TEXT")
    load.add_argument("--body-file", type=Path, metavar="FILE")
    load.add_argument("--bodies", type=Path, metavar="FILE", help="one body a line, sent in turn")
    load.add_argument("--expect", metavar="TEXT", help="what a right answer's body begins with; else any 2xx is right")
    load.add_argument("--slo", dest="slos", action="append", default=[], metavar="TEXT", help="such as 'p99 < 100ms'")
    load.add_argument("--timeout-ms", type=above, default=1000.0, metavar="MS", help="(1000)")
    load.add_argument("--find-max", action="store_true", help="find the highest rate that holds every --slo, from --rate on")
    load.add_argument("--allow-remote", action="store_true", help="load a machine other than this one")
    load.add_argument("--seed", type=int, metavar="N")
    load.add_argument("--json", dest="json_file", type=Path, metavar="FILE", help="write the result there")


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def above(text: str) -> float:
    if not 0 < _number(text) < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
    return float(text)


def _least(text: str) -> float:
    if not 0 <= _number(text) < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of at least 0")
    return float(text)


def whole(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 1")
    return int(text)
