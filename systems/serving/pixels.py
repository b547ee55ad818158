"""The pixels of a request as numbers side by side, in the order and format in which the model takes them."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import msgspec

from systems.serving.messages import PIXELS, PredictRequest

_pack: Final = struct.Struct(f"{PIXELS}d").pack
_decode: Final = msgspec.json.Decoder(PredictRequest).decode


def row(pixels: Sequence[float]) -> bytes:
    """One image: 64 float64, as the machine has them."""
    return _pack(*pixels)


def row_of(body: bytes) -> bytes:
    """The same of a request's body. Raises `msgspec.MsgspecError`, which says why, if it is not one."""
    return _pack(*_decode(body).pixels)


def usual_in_python(body: bytes) -> bytes | None:
    """The same, or None where it is left to `row_of`: here always, compiled where the form of a body is not the usual one."""
    return None


if TYPE_CHECKING:
    usual = usual_in_python
else:
    try:
        from systems.serving._compiled import usual
    except ImportError:  # there was no compiler where the harness was installed
        usual = usual_in_python
