"""What tests of several folders share: the echo system, importable wherever a test stands."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent / "harness"))
