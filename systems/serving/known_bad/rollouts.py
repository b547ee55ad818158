"""Known-bad deploys. `systems.serving.bugs` says what is wrong with each."""

from __future__ import annotations

from harness.model.rollout import Rollout, Step


class NoVerify(Rollout):
    def steps(self, node: str, version: str) -> list[Step]:
        return [Step("replace", node, version)]


class NoRollback(Rollout):
    def failed(self, why: str) -> None:
        self.result, self.why = "stuck", why
