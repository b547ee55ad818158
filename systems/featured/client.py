"""How load reaches Featured."""

from __future__ import annotations

from typing import Final

import msgspec

from harness.http.client import HttpClient
from harness.http.message import Unreachable
from harness.model.system import Address, Answer, Call, CallFailed
from systems.featured.messages import ScoreReply, ScoreRequest, Source

EXACT: Final = "score exactly"
"""A call of this kind is refused rather than answered from average features."""

_TIMEOUT_S: Final = 60.0
"""A last resort: the load gives up a call long before this."""


class Score(msgspec.Struct, frozen=True):
    """A score the way histories record it: `{"score":0.512,"source":"features"}`."""

    score: float
    source: Source


class ScoreClient:
    """Asks one replica for scores. A call's key is the user."""

    def __init__(self, address: Address) -> None:
        self._http = HttpClient(address)

    async def invoke(self, call: Call) -> Answer:
        body = msgspec.json.encode(ScoreRequest(call.key, exact=call.kind == EXACT))
        try:
            response = await self._http.request("POST", "/score", body, timeout_s=_TIMEOUT_S)
        except Unreachable as error:
            raise CallFailed(str(error)) from error
        text = response.body.decode(errors="replace")
        if response.status != 200:
            raise CallFailed(f"{response.status} {text}")
        try:
            reply = response.decode(ScoreReply)
        except msgspec.MsgspecError:
            return Answer(text)  # a checker will find that it is wrong
        return Answer(msgspec.json.encode(Score(reply.score, reply.source)).decode(), reply.node)

    async def close(self) -> None:
        self._http.close()
