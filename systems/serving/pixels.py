"""The pixels of a request as contiguous numbers, in the order and format that the model takes."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from harness.http.message import decoded
from systems.serving.messages import PIXELS, PredictRequest

_pack: Final = struct.Struct(f"{PIXELS}d").pack


def row(pixels: Sequence[float]) -> bytes:
    """One image as 64 float64 in native byte order."""
    return _pack(*pixels)


def row_of(body: bytes) -> bytes:
    """The row of a request's body. Raises `BadBody`, which says why, if the body is not a request."""
    return _pack(*decoded(body, PredictRequest).pixels)


def usual_in_python(body: bytes) -> bytes | None:
    """The row of a request's body, or None to leave it to `row_of`: always here; in the compiled version for unusual bodies."""
    return None


if TYPE_CHECKING:
    usual = usual_in_python
else:
    try:
        from systems.serving._compiled import usual
    except ImportError:  # the harness was installed without a compiler
        usual = usual_in_python
