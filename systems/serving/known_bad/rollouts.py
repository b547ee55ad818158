"""Deploys that are known to be wrong. What is wrong with each is said in `systems.serving.bugs`."""

from __future__ import annotations

from harness.model.rollout import Rollout, Step


class NoVerify(Rollout):
    def steps(self, node: str, version: str) -> list[Step]:
        return [Step("replace", node, version)]


class NoRollback(Rollout):
    def failed(self, why: str) -> None:
        self.result, self.why = "stuck", why
