"""Why a script's command failed: from torchrun's box and the errors before it, or from the end of the output."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.run.script_failure import aborted_at_exit, cause_of

LAUNCHER = """\
W1128 03:15:14.342000 22389 torch/distributed/elastic/multiprocessing/api.py:1028] Sending process 22413 closing signal SIGTERM
Traceback (most recent call last):
  File "/venv/bin/torchrun", line 8, in <module>
    raise ChildFailedError(
torch.distributed.elastic.multiprocessing.errors.ChildFailedError: 
============================================================
train.py FAILED
------------------------------------------------------------
Failures:
[1]:
  time      : 2026-11-28_03:15:14
  host      : localhost
  rank      : 0 (local_rank: 0)
  exitcode  : -15 (pid: 22413)  (SIGTERM)
  error_file: <N/A>
  traceback : Signal 15 (SIGTERM) received by PID 22413
------------------------------------------------------------
Root Cause (first observed failure):
[0]:
  time      : 2026-11-28_03:15:14
  host      : localhost
  rank      : 1 (local_rank: 1)
  exitcode  : {code} (pid: 22414) 
  error_file: <N/A>
  traceback : {traceback}
============================================================
"""  # noqa: W291 - as torchrun prints it
NOTHING = "To enable traceback see: https://pytorch.org/docs/stable/elastic/errors.html"
BEFORE_RANKS = """\
  File "/project/train.py", line 1
SyntaxError: invalid syntax
"""
OF_RANKS = """\
[rank1]: Traceback (most recent call last):
[rank1]:   File "/project/train.py", line 29, in <module>
[rank1]: RuntimeError: Connection closed by peer
[rank0]: Traceback (most recent call last):
[rank0]: ValueError: of another rank
"""
NO_FILE = "/venv/bin/python3: can't open file '/project/missing.py': [Errno 2] No such file or directory\n"
ABORT = "terminate called without an active exception\n"


@pytest.mark.parametrize(
    ("output", "code", "traceback", "cause"),
    [
        (OF_RANKS, 1, NOTHING, "rank1 failed first: RuntimeError: Connection closed by peer"),
        (BEFORE_RANKS, 1, NOTHING, "rank1 failed first: SyntaxError: invalid syntax"),
        (NO_FILE, 2, NOTHING, f"rank1 failed first: {NO_FILE.strip()}"),
        (
            OF_RANKS,
            -9,
            "Signal 9 (SIGKILL) received by PID 22414",
            "rank1 failed first: Signal 9 (SIGKILL) received by PID 22414",
        ),
        ("", 3, NOTHING, "rank1 failed first: exit code 3"),
    ],
)
def test_the_error_of_the_rank_that_failed_first(tmp_path: Path, output: str, code: int, traceback: str, cause: str) -> None:
    log = tmp_path / "script.log"
    log.write_text(output + LAUNCHER.format(code=code, traceback=traceback))
    assert cause_of(log) == cause


def test_without_torchrun_it_is_the_end_of_the_output(tmp_path: Path) -> None:
    log = tmp_path / "script.log"
    assert cause_of(log) == "its output ends: (nothing was logged)"
    log.write_text("one\ntwo\nthree\nfour\n")
    assert cause_of(log) == "its output ends: two | three | four"


def test_a_rank_that_was_killed_was_not_aborted_at_exit_although_another_was(tmp_path: Path) -> None:
    """As if an earlier attempt, or a rank that lost its peer, had printed what torch prints as it aborts."""
    log = tmp_path / "script.log"
    log.write_text(ABORT + LAUNCHER.format(code=-9, traceback="Signal 9 (SIGKILL) received by PID 22414"))
    assert not aborted_at_exit(log)
    log.write_text(ABORT + LAUNCHER.format(code=-6, traceback="Signal 6 (SIGABRT) received by PID 22414"))
    assert aborted_at_exit(log)
    log.write_text(ABORT)
    assert aborted_at_exit(log)
