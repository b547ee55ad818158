"""Whether a training learns as well as its control: yes, no, or too little data to tell."""

from __future__ import annotations

import math
from collections.abc import Callable

import pandas as pd
import pytest

from harness.checkers import loss_parity as parity
from harness.checkers.loss_parity import loss_parity, loss_parity_within
from harness.model.errors import UsageError
from harness.model.history import CONTROL, History


def falling(step: int) -> float:
    """A loss that falls from 2 to 0."""
    return 2 * math.exp(-step / 15)


def trained(loss: Callable[[int], float | None], *, steps: int = 80, control: Callable[[int], float] = falling) -> History:
    """Two ranks whose loss after each step is `loss`."""
    rows: list[dict[str, object]] = [
        {"node": CONTROL, "generation": 0, "step": step, "loss": control(step), "parameters": "aa"} for step in range(steps)
    ]
    rows += [
        {"node": node, "generation": 1, "step": step, "done_ns": step + 1, "loss": loss(step), "parameters": "bb"}
        for step in range(steps)
        for node in ("rank0", "rank1")
    ]
    return History.of([], steps=rows)


def test_a_loss_that_comes_down_as_the_controls_is_parity() -> None:
    assert loss_parity(trained(falling)).valid is True
    late = loss_parity(trained(lambda step: falling(max(0, step - 10))))
    assert late.valid is True
    assert late.why.endswith("% of its gain; at least 90% is parity")


@pytest.mark.parametrize("stays", [1.9, 0.5, 3e30])
def test_a_loss_that_does_not_is_none(stays: float) -> None:
    assert loss_parity(trained(lambda step: max(falling(step), stays))).valid is False


def test_a_loss_that_is_no_number_is_none() -> None:
    verdict = loss_parity(trained(lambda step: None if step == 7 else falling(step)))
    assert verdict.valid is False
    assert verdict.why.startswith("the loss of step 7 is no finite number (rank0 at")


def done_again(loss: float, *, again: Callable[[int], float]) -> History:
    """The first group got `loss` in its last twenty steps. They were taken back, and the next group did them again."""
    first = trained(lambda step: falling(step) if step < 60 else loss).steps
    second = first[(first["node"] != CONTROL) & (first["step"] >= 60)].copy()
    second["generation"], second["loss"] = 2, second["step"].map(again)
    return History.of([], steps=pd.concat([first, second]))


@pytest.mark.parametrize("loss", [1e30, math.inf])
def test_a_loss_that_was_taken_back_does_not_matter(loss: float) -> None:
    assert loss_parity(done_again(loss, again=falling)).valid is True


def test_a_good_loss_that_was_taken_back_does_not_excuse_the_one_that_stands() -> None:
    assert loss_parity(done_again(0.0, again=lambda step: 0.3)).valid is False


def test_bounds_can_be_set() -> None:
    half = trained(lambda step: max(falling(step), 0.6))
    assert loss_parity(half).valid is False
    assert loss_parity_within(0.4)(half).valid is True
    assert loss_parity_within(0.2)(half).valid is False
    for wrong in (0.0, 1.0):
        with pytest.raises(UsageError, match="shares between 0 and 1"):
            loss_parity_within(wrong)


@pytest.mark.parametrize("stays", [2.0, 0.0])
def test_with_too_little_to_judge_it_is_unknown(stays: float) -> None:
    assert loss_parity(trained(lambda _: stays, steps=39)).valid is None
    early = loss_parity(trained(lambda _: stays, control=lambda step: 2 - step / 100))
    assert early.valid is None
    assert "too early to tell" in early.why
    assert loss_parity_within(0.1, learnt=0.99)(trained(lambda _: stays)).valid is None
    assert loss_parity(trained(lambda _: None)).valid is None


def test_it_applies_where_bits_are_not_the_controls() -> None:
    assert parity.applies(trained(falling))
    same = trained(falling).steps.assign(parameters="aa")
    assert not parity.applies(History.of([], steps=same))
    assert not parity.applies(History.of([]))


def test_a_training_whose_terms_were_done_again_has_a_control_for_each_of_them() -> None:
    control: list[dict[str, object]] = [
        {"node": CONTROL, "generation": term, "step": 0, "loss": loss, "parameters": bits, "samples": samples}
        for term, loss, bits, samples in ((1, None, "aa", None), (2, 1.0, "bb", "0:0"))
    ]
    done: list[dict[str, object]] = [
        {"node": "master", "generation": term, "step": 0, "done_ns": term, "loss": 1.0, "parameters": bits}
        for term, bits in ((1, "aa"), (2, "bb"))
    ]
    assert not parity.applies(History.of([], steps=[*control, *done]))
    assert parity.applies(History.of([], steps=[*control, done[0] | {"generation": 2}]))
