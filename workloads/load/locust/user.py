"""The file that locust takes as its locustfile: one user class, which stands for the engine's load."""

from __future__ import annotations

from locust import User, task


class OpenLoop(User):  # type: ignore[misc]  # locust's classes are untyped here
    """One user is `--per-user` requests per second, due on a schedule whatever the answers are. The class itself never runs."""

    @task  # type: ignore[untyped-decorator]
    def due(self) -> None:
        raise NotImplementedError("the engine makes the load")
