"""The Faults tab: a page inside locust's, whose requests are passed on to `harness ui`, and who may make them.

Locust lets any site read its answers (it sends `Access-Control-Allow-Origin: *`) and acts on any site's forms. Here every
request must name this host (against DNS rebinding), requests from other origins are refused, no other origin may read an
answer, and requests that act on faults must carry the token that is in the page.
"""

from __future__ import annotations

import dataclasses
import hmac
import http.client
import secrets
from pathlib import Path
from typing import Final

import msgspec
from flask import Response, request
from locust.web import WebUI

from harness.model.slo import SLO
from results.analysis.load_judge import judged
from workloads.load.locust.load import EngineLoad
from workloads.load.locust.pages import Mark, in_requests, with_marks
from workloads.load.locust.setup import Setup, too_much

_PAGE: Final = Path(__file__).with_name("page")
_TOKEN_HEADER: Final = "X-Harness-Token"  # noqa: S105 - a header's name
_FILES: Final = {"marks.js": "text/javascript", "faults.js": "text/javascript", "faults.css": "text/css"}
_TIMEOUT_S: Final = 30.0


class Judged(msgspec.Struct, frozen=True):
    """How one of the drill's SLOs stands under the load so far; `ok` is None while that is undecided, and if the generator
    itself was late."""

    slo: str
    ok: bool | None


class FaultsTab:
    """Adds the tab to locust's web UI. If `harness ui` runs no system here there is no tab, only the guard."""

    def __init__(self, setup: Setup, load: EngineLoad | None) -> None:
        self._setup, self._load = setup, load
        self._token = secrets.token_urlsafe(32)

    def add_to(self, web_ui: WebUI) -> None:
        self._allowed = {f"{host}:{web_ui.port}" for host in ("127.0.0.1", "localhost")}
        app = web_ui.app
        app.before_request(self._guard)
        app.after_request_funcs.setdefault(None, []).insert(
            0, self._close
        )  # the first in the list runs last, after locust's CORS
        if self._setup.control is None:
            return
        web_ui.template_args["extended_tabs"] = [{"title": "Faults", "key": "faults"}]
        app.add_url_rule("/faults/<name>", "faults_file", self._file, methods=["GET"])
        app.add_url_rule("/faults/state", "faults_state", self._state, methods=["GET"])
        app.add_url_rule("/faults/marks", "faults_marks", self._marks, methods=["GET"])
        app.add_url_rule("/faults/<action>", "faults_action", self._act, methods=["POST"])
        app.add_url_rule("/faults/slos", "faults_slos", self._slos, methods=["GET"])

    def _guard(self) -> Response | None:
        if request.host not in self._allowed:
            return Response(f"This page is at {min(self._allowed)}, and not at {request.host}.\n", 421, mimetype="text/plain")
        origin = request.headers.get("Origin")
        foreign = origin is not None and origin not in {f"http://{host}" for host in self._allowed}
        if foreign or (request.headers.get("Sec-Fetch-Site") == "cross-site" and request.method != "GET"):
            return Response("Another site may not do this.\n", 403, mimetype="text/plain")
        if request.path == "/swarm" and self._setup.exchanges:
            users = request.form.get("user_count", default=0.0, type=float)
            if message := too_much(users, self._setup.per_user):
                return Response(msgspec.json.encode({"success": False, "message": message}), mimetype="application/json")
        return None

    def _close(self, response: Response) -> Response:
        for name in [name for name, _ in response.headers if name.startswith("Access-Control-")]:
            del response.headers[name]
        response.headers["X-Frame-Options"] = "DENY"  # no site can put this page into an invisible frame to be clicked
        shown = response.mimetype in ("text/html", "text/javascript", "application/javascript")
        if response.status_code != 200 or not shown or request.path.startswith("/faults/"):
            return response
        response.direct_passthrough = False  # the bundle comes from a file
        text = response.get_data(as_text=True)
        if self._setup.exchanges:
            text = in_requests(text, self._setup.per_user)
        if self._setup.control is not None and request.path == "/":
            head = (
                f'<meta name="harness-token" content="{self._token}"><link rel="stylesheet" href="faults/faults.css">'
                '<script defer src="faults/marks.js"></script><script defer src="faults/faults.js"></script></head>'
            )
            text = text.replace("</head>", head, 1)
        elif self._setup.control is not None and request.path == "/stats/report":
            text = with_marks(text, self._windows())
        response.set_data(text)
        return response

    def _marks(self) -> Response:
        return Response(msgspec.json.encode(self._windows()), mimetype="application/json")

    def _windows(self) -> list[Mark]:
        """The fault windows so far, oldest first; none if `harness ui` does not answer."""
        answer = self._ask("GET", "/marks", b"")
        return msgspec.json.decode(answer.get_data(), type=list[Mark]) if answer.status_code == 200 else []

    def _file(self, name: str) -> Response:
        if name not in _FILES:
            return Response("There is no such file.\n", 404, mimetype="text/plain")
        return Response((_PAGE / name).read_bytes(), mimetype=_FILES[name])

    def _state(self) -> Response:
        return self._ask("GET", "/state", b"")

    def _slos(self) -> Response:
        counted = self._load.counted if self._load is not None else None
        if counted is not None:  # calls in progress are not lost, so only those that ended are judged
            counted = dataclasses.replace(counted, due=counted.ok + counted.failed + counted.wrong + counted.unknown)
        if counted is None:
            found = []
        else:
            slos = [slo for slo in map(SLO.parse, self._setup.slos) if slo.metric != "recovery"]
            found = [Judged(slo.text, None if counted.late else judged(slo, counted).ok) for slo in slos]
        return Response(msgspec.json.encode(found), mimetype="application/json")

    def _act(self, action: str) -> Response:
        if not hmac.compare_digest(request.headers.get(_TOKEN_HEADER, "").encode(), self._token.encode()):
            return Response("This needs the token of the page. Load the page anew.\n", 403, mimetype="text/plain")
        if action not in ("inject", "heal", "schedule"):
            return Response(f"There is no action {action}.\n", 404, mimetype="text/plain")
        return self._ask("POST", f"/{action}", request.get_data())

    def _ask(self, method: str, path: str, body: bytes) -> Response:
        """Pass a request on to `harness ui`."""
        assert self._setup.control is not None  # noqa: S101 - otherwise there are no routes
        connection = http.client.HTTPConnection(*self._setup.control, timeout=_TIMEOUT_S)
        try:
            connection.request(method, path, body, {"X-Harness-Secret": self._setup.secret})
            answer = connection.getresponse()
            return Response(answer.read(), answer.status, mimetype=answer.getheader("content-type", "text/plain"))
        except (OSError, http.client.HTTPException) as error:
            return Response(f"harness ui does not answer: {error}\n", 502, mimetype="text/plain")
        finally:
            connection.close()
