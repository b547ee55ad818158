from collections.abc import Callable

import numpy as np
import numpy.typing as npt

_Numbers = npt.NDArray[np.int32]

def search(
    called: _Numbers,
    returned: _Numbers,
    kind: _Numbers,
    slot: _Numbers,
    order: _Numbers,
    stages: _Numbers,
    horizon: _Numbers,
    supplied: _Numbers,
    rules: _Numbers,
    step: Callable[[int, int], int],
    slots: int,
    width: int,
    limit: int,
    spent_weight: int,
    owed_weight: int,
    /,
) -> tuple[int, int, int, int]: ...
