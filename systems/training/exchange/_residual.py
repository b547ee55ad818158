"""Error feedback: what a rank could not send in one step it adds to the next one's gradient.

Karimireddy et al., "Error Feedback Fixes SignSGD and other Gradient Compression Schemes", ICML 2019.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from systems.training.exchange import Array, Given, State

RESIDUAL: Final = "residual"


def with_residual(given: Given) -> Array:
    """This rank's gradient, the loss left out, and what was not sent before; a new array."""
    gradient = given.total[:-1]
    if (residual := given.state.private.get(RESIDUAL)) is not None:
        gradient += residual
    return gradient


def keeping(given: Given, residual: Array) -> State:
    """The state of the next step, in which this is to be sent as well."""
    return State(shared=given.state.shared, private={RESIDUAL: residual.astype(np.float32)})
