"""Serving whose model is replaced while it runs: it has versions, and each answer names the version that gave it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from harness.http.client import HttpClient
from harness.http.message import BadAnswer, TransportError
from harness.model.errors import UsageError, hint
from harness.model.rollout import Rollout
from harness.model.system import Address, Client
from systems.serving import Serving, artifacts
from systems.serving.bugs import BUGS
from systems.serving.client import PredictClient
from systems.serving.messages import PredictReply, PredictRequest

WEIGHTS: Final = {"v1": artifacts.WEIGHTS, "v2": artifacts.V2_WEIGHTS, "bad-v2": artifacts.BAD_V2_WEIGHTS}
"""The versions. "bad-v2" is deployed as v2, but takes each digit for another one."""

KNOWN_IMAGES: Final = 20
VERIFY_S: Final = 3.0
"""A replica has this long to answer the known images as its version does, and to be up at the balancer."""

RELOAD_S: Final = 3.0
"""A replica has this long to load another version's weights and check them."""

_AGAIN_S: Final = 0.02


class Versioned(msgspec.Struct, frozen=True):
    """An answer in histories of this system."""

    label: int
    score: float
    model: str


class _ReplicaUp(msgspec.Struct):
    name: str
    up: bool


class _Status(msgspec.Struct):
    replicas: list[_ReplicaUp]


class VersionedClient(PredictClient):
    """Records the fingerprint of the weights with each answer."""

    def text(self, reply: PredictReply) -> str:
        return msgspec.json.encode(Versioned(reply.label, reply.score, reply.model)).decode()


@dataclass(frozen=True, kw_only=True)
class DeployedServing(Serving):
    """Serving that starts with v1, and gets other versions of the model by `Deploy` and `Reload`."""

    def client(self, index: int, entries: Mapping[str, Address]) -> Client:
        return VersionedClient(artifacts.folder(), entries["balancer"], self.deadline_of(index))

    def rollout(self, nodes: Sequence[str], version: str) -> Rollout:
        self.config_of(version)
        return BUGS.variant(self.bug).rollout(nodes, old="v1", new=version)

    def config_of(self, version: str) -> Mapping[str, object]:
        if version not in WEIGHTS:
            raise UsageError(f"No version called {version!r} in DeployedServing. {hint(version, WEIGHTS)}")
        return {"weights": WEIGHTS[version]}

    async def verify(self, node: str, version: str, addresses: Mapping[str, Address]) -> str | None:
        """Asks the replica itself first, so that a wrong version is found before waiting for the balancer."""
        replica, balancer = HttpClient(addresses[node]), HttpClient(addresses["balancer"])
        why: str | None = "it was not asked"
        try:
            async with asyncio.timeout(VERIFY_S):
                why = await _answers_wrong(replica, version)
                while why is None and not await _up(balancer, node):
                    await asyncio.sleep(_AGAIN_S)
        except TimeoutError:
            why = f"not in service within {VERIFY_S:g} s"
        except BadAnswer as error:
            why = f"gave an invalid answer: {error}"
        except TransportError as error:
            why = str(error)
        finally:
            replica.close()
            balancer.close()
        return why

    async def reload(self, node: str, version: str, addresses: Mapping[str, Address]) -> str | None:
        replica, weights = HttpClient(addresses[node]), msgspec.json.encode(self.config_of(version))
        try:
            response = await replica.request("POST", "/reload", weights, timeout_s=RELOAD_S)
        except TransportError as error:
            return str(error)
        finally:
            replica.close()
        return None if response.status == 200 else response.body.decode(errors="replace")


async def _answers_wrong(replica: HttpClient, version: str) -> str | None:
    folder = artifacts.folder()
    right = artifacts.versions(folder)["v1" if version == "v1" else "v2"]
    for digit, answer in list(zip(artifacts.digits(folder), right.answers, strict=True))[:KNOWN_IMAGES]:
        body = msgspec.json.encode(PredictRequest(digit.pixels))
        response = await replica.request("POST", "/predict", body, timeout_s=VERIFY_S)
        if response.status != 200:
            return f"answered {response.status}"
        reply = response.decode(PredictReply)
        if reply.label != answer.label:
            return f"saw {reply.label} in an image of {answer.label}"
        if reply.model != right.fingerprint:
            return f"has the weights {reply.model} instead of {right.fingerprint}"
    return None


async def _up(balancer: HttpClient, node: str) -> bool:
    status = (await balancer.request("GET", "/status", timeout_s=VERIFY_S)).decode(_Status)
    return any(replica.up for replica in status.replicas if replica.name == node)
