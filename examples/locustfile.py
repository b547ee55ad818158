"""An ordinary locust user against Serving: `harness ui --locustfile examples/locustfile.py`.

Closed loop: each user waits for its answer before it sends the next request. Stand-alone: `locust -f examples/locustfile.py
--host URL`.
"""

from __future__ import annotations

import random

from locust import FastHttpUser, between, task

_PIXELS = 64
_BRIGHTEST = 16


class Reader(FastHttpUser):
    """Asks which digit is in an image of random grey."""

    wait_time = between(0.5, 1.5)

    @task
    def predict(self) -> None:
        pixels = [random.randint(0, _BRIGHTEST) for _ in range(_PIXELS)]
        with self.rest("POST", "/predict", json={"pixels": pixels}) as response:
            if response.js is not None and response.js.get("label") not in range(10):
                response.failure(f"not a digit: {response.text[:60]}")
