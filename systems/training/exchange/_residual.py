"""Error feedback: a rank adds what it did not send in one step to the gradient of the next.

Karimireddy et al., "Error Feedback Fixes SignSGD and other Gradient Compression Schemes", ICML 2019.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from systems.training.exchange import Array, Given, State

RESIDUAL: Final = "residual"


def with_residual(given: Given) -> Array:
    """This rank's gradient, without the loss, plus what it has not sent before; a new array."""
    gradient = given.total[:-1]
    if (residual := given.state.private.get(RESIDUAL)) is not None:
        gradient += residual
    return gradient


def keeping(given: Given, residual: Array) -> State:
    """The state of the next step, which sends this residual as well."""
    return State(shared=given.state.shared, private={RESIDUAL: residual.astype(np.float32)})
