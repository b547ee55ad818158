"""What locust takes for a locustfile: the one user class that stands for the engine's load."""

from __future__ import annotations

from locust import User, task


class OpenLoop(User):  # type: ignore[misc]  # locust's classes are untyped here
    """One user is `--per-user` requests a second, due on a schedule whatever the answers do. It never runs itself."""

    @task  # type: ignore[untyped-decorator]
    def due(self) -> None:
        raise NotImplementedError("the engine makes the load")
