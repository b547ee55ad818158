"""The command line. Its output and exit codes are stable: people script against them."""

from __future__ import annotations

import argparse
import contextlib
import difflib
import errno
import os
import signal
import sys
import traceback
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Final, NoReturn

from harness import roots
from harness.cli.registry import Command, commands
from harness.model.errors import HarnessError, UsageError, cannot_write, hint
from harness.model.seeds import HASH_SEED, SIMULATION_HASH_SEED

_EXIT_CODES = """\
exit codes:
  0 all held   1 a checker found wrong behaviour   2 usage   3 an SLO missed or a regression
  4 unknown (inconclusive)   70 the harness broke   130 interrupted
"""


_INTERRUPTED: Final = 130


def main() -> NoReturn:
    """The `harness` command, once it is imported; see `harness_command`."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by whoever started us, as daemons do
            setattr(sys, name, Path(os.devnull).open("w"))  # noqa: SIM115 - until we end
        getattr(sys, name).reconfigure(errors="replace")  # a character that the terminal cannot show is not an error
    if sys.argv[1:2] == ["simulate"]:
        _start_with_hash_seed()
    try:
        if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:  # as for a script's background jobs
            signal.signal(signal.SIGINT, signal.default_int_handler)
        code: int | str | None = run(sys.argv[1:])
    except KeyboardInterrupt:  # just before it could be handled there
        code = _interrupted()
    except SystemExit as error:  # of the parser
        code = error.code
    sys.exit(_flushed(code))


def run(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code. Errors are one line on standard error."""
    parsed = None
    try:
        found = commands()
        asked = found.get(arguments[0]) if arguments else None
        roots.add(_here())
        parsed = _parser(found, asked).parse_args(arguments)
        return found[parsed.command].execute(parsed)
    except HarnessError as error:
        mark = "? unknown" if error.exit_code == 4 else "error"
        print(f"{mark}: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return _interrupted()
    except BrokenPipeError:  # the reader of our output is gone, as with `head`
        return _unread()
    except SystemExit as error:
        if isinstance(error.__context__, BrokenPipeError):  # rich turns it into this
            return _unread()
        if parsed is None:  # of the parser
            raise
        return _broke()
    except Exception as error:
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            return _full(error)
        if isinstance(error, PermissionError) and error.filename is not None:
            print(
                f"error: {error.filename}: {error.strerror}. Change its permissions, or choose another place.", file=sys.stderr
            )
            return UsageError.exit_code
        return _broke()


def _broke() -> int:
    """Show the error that nobody expected, and return the exit code. A module that ends the process has no verdict to give."""
    traceback.print_exc()
    print("error: the harness broke; this is a bug in it, or in a module of yours named above", file=sys.stderr)
    return HarnessError.exit_code


def _interrupted() -> int:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # one is enough
    print("interrupted: everything that was started has been stopped", file=sys.stderr)
    return _INTERRUPTED


def _start_with_hash_seed() -> None:
    """Start this process again with the hash seed of simulations, unless it has it.

    A failing seed is repeated in this process, and must fail here as it did in the one that found it.
    """
    seed = str(SIMULATION_HASH_SEED)
    if os.environ.get(HASH_SEED) != seed and not sys.flags.ignore_environment:
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], os.environ | {HASH_SEED: seed})  # noqa: S606 - our own command line


def _here() -> Path:
    try:
        return Path.cwd()
    except FileNotFoundError as error:
        raise UsageError("The folder that this was started in no longer exists. Change to another one.") from error


def _flushed(code: int | str | None) -> int | str | None:
    """The exit code, once all output has been taken: Python itself would end with 120 if it was not."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        return _unread()
    except ValueError:  # `_full` or `_unread` has closed it
        return code
    except OSError as error:
        return _full(error)
    return code


def _full(error: OSError) -> int:
    """Say in one line what could not be written, and return the exit code."""
    with contextlib.suppress(OSError):
        sys.stdout.close()  # whatever else there is to print
    told = cannot_write(error.filename or "the output", error)
    print(f"error: {told}", file=sys.stderr)
    return told.exit_code


def _unread() -> int:
    """The exit code of a program killed by SIGPIPE: the verdict was not read, so it is not one of the verdicts' codes."""
    with contextlib.suppress(BrokenPipeError):
        sys.stdout.close()
    return 128 + signal.SIGPIPE


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are one line, as everywhere else, and name the command whose `--help` explains them."""

    def parse_known_args(  # type: ignore[override] # the overloads of its stub say no more
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """Refuse unknown arguments here: a command's parser would hand them to the one of `harness`, which knows no more."""
        parsed, unknown = super().parse_known_args(args, namespace)
        if unknown:
            self.error(f"unrecognized arguments: {' '.join(unknown)}{self._meant(unknown[0], args or ())}")
        return parsed, unknown

    def _meant(self, unknown: str, args: Sequence[str]) -> str:
        """What to do about an unknown argument, as far as that can be told."""
        if "--" not in args and any(str(action.metavar).startswith("-- ") for action in self._actions):
            return ". If they belong to the command to start, put -- before that command"
        name, known = unknown.partition("=")[0], self._option_string_actions
        return f". {hint(name, known)}" if difflib.get_close_matches(name, known, n=1) else ""

    def error(self, message: str) -> NoReturn:
        stop = "" if message.endswith("?") else "."
        print(f"error: {message}{stop} See `{self.prog} --help`.", file=sys.stderr)
        sys.exit(UsageError.exit_code)


def _version() -> str:
    try:
        return metadata.version("distributed-ml-harness")
    except metadata.PackageNotFoundError:
        return "(checkout, not installed)"


def _parser(found: dict[str, Command], asked: Command | None) -> argparse.ArgumentParser:
    """A parser with every command, and the options of the one asked for: the others' modules are not imported."""
    harness = _Parser(
        prog="harness",
        description="Benchmarks and fault-injection drills for distributed ML systems.",
        epilog=_EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    harness.add_argument("--version", action="version", version=f"harness {_version()}")
    subparsers = harness.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in found.values():
        parser = subparsers.add_parser(command.name, help=command.summary, description=f"{command.summary}.")
        if command is asked:
            command.add_options(parser)
    return harness
