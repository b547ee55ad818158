"""Run one of the harness's modules as a program: `python -P -m harness.launch MODULE ARGUMENT...`.

`python -m workloads...` would look for `workloads` in the working directory first, where a user may keep a folder of that
name. Importing `harness` claims our own packages, so the module named here is always ours.
"""

from __future__ import annotations

import runpy
import sys

if __name__ == "__main__":
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
