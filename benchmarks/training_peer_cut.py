"""How soon a rank of a DDP script hears that the link between two others is cut, with the link cut as `harness train` does."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from training_peer_job import Journals
from training_peers import CHECKPOINT_EVERY, MODEL, torchrun

from faults.partition import Isolate
from harness.cluster.interrupts import run_to_its_end
from harness.run.script_run import ScriptRun
from harness.run.script_spec import ScriptSpec

_BEGINS_S: Final = 2.0
_LONGER_S: Final = 10.0
_BYSTANDER: Final = 2
_FOREVER_S: Final = 1e9


class _Unwatched:
    def on_window(self, record: object) -> None: ...


def bystander_s(timeout_s: float, step_ms: float, folder: Path) -> float | None:
    """Seconds until the rank at neither end of a silent link is told by gloo or ended by torchrun; None if it never is.

    `timeout_s` is the time-out of collectives.
    """
    journals, run_dir = folder / "journals", folder / "run"
    journals.mkdir(parents=True)
    (run_dir / "nodes").mkdir(parents=True)
    setting = ("--model", MODEL, "--step-ms", str(step_ms), "--checkpoint-every", str(CHECKPOINT_EVERY))
    peer = torchrun(fixed=False, timeout_s=timeout_s, restarts=0)
    lasts_s = timeout_s + _LONGER_S
    spec = ScriptSpec(
        command=(*peer.argv, str(journals), *setting, "--until-s", str(_FOREVER_S)),
        faults=(Isolate("rank0>rank1").between(_BEGINS_S, _BEGINS_S + lasts_s),), fault_texts=(), slos=(), seed=1,
        plane="embedded", stall_s=lasts_s, limit_s=_BEGINS_S + lasts_s,
    )  # fmt: skip
    record = run_to_its_end(ScriptRun(spec, run_dir, _Unwatched()).record())
    injected_s = record.windows[0].injected_s
    if injected_s is None:
        return None
    cut_ns = record.first_ns + injected_s * 1e9
    heard = [line.at_ns for line in Journals(journals).lines() if line.kind == "error" and line.rank == _BYSTANDER]
    heard += [one.gone_ns for one in record.processes if one.rank == _BYSTANDER and one.gone_ns is not None]
    after = [(at_ns - cut_ns) / 1e9 for at_ns in heard if at_ns > cut_ns]
    return min(after, default=None)
