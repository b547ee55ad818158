"""The options of `harness load`."""

from __future__ import annotations

import argparse
import math
import re
import shlex
from pathlib import Path
from typing import Final

_TIMES: Final = {"": 1.0, "k": 1e3, "M": 1e6}
_SECONDS: Final = {"": 1.0, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_HIGHEST_PORT: Final = 65_535
_NOT_REPEATED: Final = ("url", "seed", "json_file", "runs")
"""Options that the line repeating a load writes differently, or leaves out."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """The request, the load, the SLOs, and where to put the result."""
    _options(parser)


def command_line(arguments: argparse.Namespace, seed: int) -> str:
    """The command that repeats a load, quoted for a shell: every option that differs from its default, and the seed."""
    words = ["harness", "load", arguments.url]
    for action in _options(argparse.ArgumentParser()):
        value = getattr(arguments, action.dest)
        if action.dest in _NOT_REPEATED or value == action.default:
            continue
        if value is True:
            words.append(action.option_strings[0])
        else:
            for one in value if isinstance(value, list) else [value]:
                word = f"{one:.12g}" if isinstance(one, float) else str(one)
                option = action.option_strings[0]
                words += [f"{option}={word}"] if word.startswith("-") else [option, word]
    return shlex.join([*words, "--seed", str(seed)])


def _options(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    add = parser.add_argument
    return [
        add("url", metavar="URL", help="for example http://127.0.0.1:8000/predict"),
        add("--rate", type=rate, default=1000.0, metavar="N", help="calls a second, such as 500 or 10k (default: 1000)"),
        add("--arrivals", choices=("constant", "poisson"), default="poisson", help="when calls are due (default: poisson)"),
        add("--shape", metavar="JSON", help='how the rate changes: {"type":"Spikes","peak":4,"every_s":5,"for_s":1}'),
        add(
            "--seconds",
            type=duration,
            default=10.0,
            metavar="S",
            help="length, such as 30 or 1m; with --find-max, of a step (default: 10)",
        ),
        add("--warm-up", type=_warm_up, default=1.0, metavar="S", help="load before that, not counted (default: 1)"),
        add("--connections", type=whole, default=16, metavar="N", help="open connections (default: 16)"),
        add("--depth", type=whole, default=1, metavar="N", help="requests in flight on a connection (default: 1)"),
        add("--processes", type=whole, default=1, metavar="N", help="processes that make the load (default: 1)"),
        add("--method", metavar="WORD", help="(default: GET, or POST if there is a body)"),
        add(
            "--header", dest="headers", action="append", default=[], metavar="'NAME: VALUE'", help="may be given several times"
        ),
        add("--body", metavar="TEXT", help="sent as application/json if it is JSON, unless a --header says otherwise"),
        add("--body-file", type=Path, metavar="FILE", help="the same, from a file"),
        add("--bodies", type=Path, metavar="FILE", help="one body a line, sent in turn"),
        add("--expect", metavar="TEXT", help="how a correct answer's body begins (default: any 2xx is correct)"),
        add("--expects", type=Path, metavar="FILE", help="the same for each of --bodies: one a line, in their order"),
        add(
            "--slo",
            dest="slos",
            action="append",
            default=[],
            metavar="TEXT",
            help="such as 'p99 < 100ms'; may be given several times",
        ),
        add("--timeout-ms", type=above, default=1000.0, metavar="MS", help="give a call up after this (default: 1000)"),
        add("--find-max", action="store_true", help="find the highest rate that meets every --slo, starting at --rate"),
        add("--allow-remote", action="store_true", help="allow a target on another machine"),
        add("--seed", type=int, metavar="N", help="repeat a load: the seed determines the arrivals"),
        add("--json", dest="json_file", type=Path, metavar="FILE", help="write the result as JSON; - is standard output"),
        add(
            "--runs",
            type=Path,
            default=Path("runs"),
            metavar="DIR",
            help="where to keep the result and its page (default: runs)",
        ),
    ]


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def above(text: str) -> float:
    """A number above 0."""
    if not 0 < _number(text) < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
    return float(text)


def rate(text: str) -> float:
    """Calls a second: a number above 0, optionally with k or M for thousands or millions, and with /s."""
    found = re.fullmatch(r"(.+?)([kM]?)(?:/s)?", text)
    value = _number(found[1]) * _TIMES[found[2]] if found else math.nan
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a rate, such as 500 or 10k, in calls a second")
    return value


def duration(text: str) -> float:
    """Seconds above 0, or a number with ms, s, m or h."""
    value = _seconds(text)
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a time above 0, such as 30, 1.5s, 500ms or 1m")
    return value


def _warm_up(text: str) -> float:
    value = _seconds(text)
    if not 0 <= value < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a time, such as 0, 2s or 500ms")
    return value


def _seconds(text: str) -> float:
    found = re.fullmatch(r"(.+?)(ms|s|m|h)?", text)
    return _number(found[1]) * _SECONDS[found[2] or ""] if found else math.nan


def port(text: str) -> int:
    """A port that can be asked for."""
    if not text.isdecimal() or not 0 < int(text) <= _HIGHEST_PORT:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port from 1 to {_HIGHEST_PORT}")
    return int(text)


def whole(text: str) -> int:
    """A whole number of at least 1."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 1")
    return int(text)
