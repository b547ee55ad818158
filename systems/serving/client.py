"""The client through which load reaches Serving."""

from __future__ import annotations

import asyncio
from functools import lru_cache
from pathlib import Path
from typing import Final

import msgspec

from harness.http.client import HttpClient
from harness.http.deadlines import HEADER
from harness.http.message import Response, Unreachable
from harness.model.system import Address, Answer, Call, CallFailed
from systems.serving import artifacts
from systems.serving.messages import Prediction, PredictReply, PredictRequest

_TIMEOUT_S: Final = 60.0
"""A last resort: the load's own timeout is much shorter."""

_TOO_LATE: Final = 504
_REFUSED: Final = frozenset({503, _TOO_LATE})
"""Definite failures: a prediction has no side effect, so one that was refused has certainly had none."""

_SURELY_EARLY: Final = 0.5
"""A refusal as too late is wrong after less than this share of the time that the client gave. A busy balancer's clock runs
behind while it reads, so its deadlines may be a little early."""


class PredictClient:
    """Asks the balancer for predictions. A call's key is the image's number; its pixels come from the artifacts.

    `deadline_ms` is sent with each request: how long an answer is of use. None: no deadline. A refusal as too late that comes
    long before that is recorded as an answer, which no checker takes for a prediction.
    """

    def __init__(self, folder: Path, address: Address, deadline_ms: int | None = None) -> None:
        self._bodies = _bodies(folder)
        self._http = HttpClient(address)
        self._headers = () if deadline_ms is None else ((HEADER, str(deadline_ms)),)
        self._early_s = 0.0 if deadline_ms is None else _SURELY_EARLY * deadline_ms / 1e3

    async def invoke(self, call: Call) -> Answer:
        body = self._bodies[int(call.key)]
        clock = asyncio.get_running_loop().time
        sent_s = clock()
        try:
            response = await self._http.request("POST", "/predict", body, timeout_s=_TIMEOUT_S, headers=self._headers)
        except Unreachable as error:
            raise CallFailed(str(error)) from error
        text = response.body.decode(errors="replace")
        if response.status == _TOO_LATE and clock() - sent_s < self._early_s:
            return Answer(f"{response.status} {text}")
        if response.status in _REFUSED:
            raise CallFailed(text)
        if response.status != 200:
            raise UnexpectedStatus(f"{response.status} {text}")
        try:
            reply = response.decode(PredictReply)
        except msgspec.MsgspecError:
            return Answer(text, _node_of(response))  # a checker will find it wrong
        return Answer(self.text(reply), reply.node)

    @property
    def under_way(self) -> int:
        """How many of its requests have no answer yet and are not given up."""
        return self._http.tally.awaited

    def text(self, reply: PredictReply) -> str:
        """The text of a reply for the history."""
        return answer_text(Prediction(reply.label, reply.score))

    async def close(self) -> None:
        self._http.close()


class _From(msgspec.Struct):
    node: str


def _node_of(response: Response) -> str:
    """The node that gave an invalid answer, such as one without a score; "" if that cannot be read either."""
    try:
        return response.decode(_From).node
    except msgspec.MsgspecError:
        return ""


class UnexpectedStatus(Exception):
    """An answer that is neither a prediction nor a refusal."""


def answer_text(prediction: Prediction) -> str:
    """The text of a prediction for histories: `{"label":7,"score":0.9981}`."""
    return msgspec.json.encode(prediction).decode()


@lru_cache(maxsize=1)
def _bodies(folder: Path) -> list[bytes]:
    """Every request, encoded once per process, before the load begins."""
    return [msgspec.json.encode(PredictRequest(digit.pixels)) for digit in artifacts.digits(folder)]
