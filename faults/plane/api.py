"""Toxiproxy's HTTP API: its routes and the form of its answers."""

from __future__ import annotations

import itertools
import json
import os
import re
from collections.abc import Awaitable, Callable
from typing import Final

from faults.plane import bodies, encoding, own_process
from faults.plane.descriptors import Descriptors
from faults.plane.errors import ApiError, bad_body, too_long
from faults.plane.gojson import JsonError
from faults.plane.log import Log
from faults.plane.metrics import exposition
from faults.plane.proxies import Proxies
from faults.plane.proxy import Proxy
from harness.http.message import Headers, Request, Response

MAX_BODY_BYTES: Final = 1 << 20
"""A request with a longer body is refused."""

VERSION: Final = "2.12.0"
"""The version of Toxiproxy that this API follows."""

_TEXT: Final = "text/plain; charset=utf-8"
_JSON: Final = "application/json"
_NO_SNIFFING: Final = (("X-Content-Type-Options", "nosniff"),)

_MOST_WARNINGS: Final = 8
"""An answer carries at most this many `Warning` headers."""

Warnings = list[str]

Route = Callable[[Request, tuple[str, ...]], Awaitable[Response]]


class Api:
    """Answers requests."""

    def __init__(self, proxies: Proxies, descriptors: Descriptors) -> None:
        self._proxies = proxies
        self._descriptors = descriptors
        self._log = Log("warning")
        self._ids = (f"{os.urandom(6).hex()}{number:08x}" for number in itertools.count())
        self._routes: tuple[tuple[str, dict[str, Route]], ...] = (
            ("/reset", {"POST": self._reset}),
            ("/proxies", {"GET": self._index, "POST": self._create}),
            ("/populate", {"POST": self._populate}),
            ("/proxies/*", {"GET": self._show, "POST": self._update, "PATCH": self._update, "DELETE": self._delete}),
            ("/proxies/*/toxics", {"GET": self._toxic_index, "POST": self._toxic_create}),
            (
                "/proxies/*/toxics/*",
                {
                    "GET": self._toxic_show,
                    "POST": self._toxic_update,
                    "PATCH": self._toxic_update,
                    "DELETE": self._toxic_delete,
                },
            ),
            ("/version", {"GET": self._version}),
        )

    async def handle(self, request: Request) -> Response:
        """Answer any request."""
        cleaned = _cleaned(request.path)
        if cleaned != request.path:
            return _answer(301, headers=(("Location", encoding.quoted_path(cleaned)),))
        found = self._find(request)
        if isinstance(found, Response):
            return found
        route, names = found
        answer = await self._allowed(route, request, names)
        identity = ("X-Toxiproxy-Request-Id", next(self._ids))
        return Response(answer.status, answer.body, (*answer.headers, identity))

    def _find(self, request: Request) -> tuple[Route, tuple[str, ...]] | Response:
        if request.path == "/metrics":
            return self._metrics, ()
        for pattern, methods in self._routes:
            names = _match(pattern, request.path)
            if names is not None:
                route = methods.get(request.method)
                return _answer(405) if route is None else (route, names)
        return _answer(404, b"404 page not found\n", _TEXT, _NO_SNIFFING)

    async def _allowed(self, route: Route, request: Request, names: tuple[str, ...]) -> Response:
        if request.headers.get("user-agent", "").startswith("Mozilla/"):
            return _answer(403, b"User agent not allowed\n", _TEXT, _NO_SNIFFING)
        try:
            if len(request.body) > MAX_BODY_BYTES:
                return _refusal(too_long(MAX_BODY_BYTES))
            return await route(request, names)
        except JsonError as error:
            return _refusal(bad_body(str(error)))
        except ApiError as error:
            return _refusal(error)

    # --------------------------------------------------------------------------------------------------------- proxies

    async def _index(self, _: Request, __: tuple[str, ...]) -> Response:
        return _answer(200, encoding.proxies_by_name(self._proxies), _JSON)

    async def _create(self, request: Request, _: tuple[str, ...]) -> Response:
        warnings = Warnings()
        proxy = await self._proxies.create(bodies.proxy_to_create(request.body, warnings.append))
        return self._proxy_answer(201, proxy, warnings)

    async def _show(self, _: Request, names: tuple[str, ...]) -> Response:
        return self._proxy_answer(200, self._proxies.get(names[0]), Warnings())

    async def _update(self, request: Request, names: tuple[str, ...]) -> Response:
        async with self._proxies.changing(names[0]):
            proxy = self._proxies.get(names[0])
            warnings = Warnings()
            wanted = bodies.proxy_to_update(request.body, proxy, warnings.append)
            await proxy.update(wanted.listen, wanted.upstream, wanted.enabled)
            return self._proxy_answer(200, proxy, warnings)

    async def _delete(self, _: Request, names: tuple[str, ...]) -> Response:
        await self._proxies.remove(names[0])
        return _answer(204)

    async def _populate(self, request: Request, _: tuple[str, ...]) -> Response:
        made: list[Proxy] = []
        warnings = Warnings()
        failure: ApiError | None = None
        try:
            for spec in bodies.proxies_to_populate(request.body, warnings.append):
                made.append(await self._proxies.create_or_replace(spec))
        except JsonError as error:
            failure = bad_body(str(error))
        except ApiError as error:
            failure = error
        return _answer(failure.status if failure else 201, encoding.populated(made, failure), _JSON, self._told(warnings))

    async def _reset(self, _: Request, __: tuple[str, ...]) -> Response:
        await self._proxies.reset()
        return _answer(204)

    # ---------------------------------------------------------------------------------------------------------- toxics

    async def _toxic_index(self, _: Request, names: tuple[str, ...]) -> Response:
        return _answer(200, encoding.toxics(self._proxies.get(names[0]).toxics.all()), _JSON)

    async def _toxic_create(self, request: Request, names: tuple[str, ...]) -> Response:
        toxics = self._proxies.get(names[0]).toxics
        warnings = Warnings()
        toxic = bodies.toxic_to_create(request.body, toxics.has, warnings.append)
        toxics.add(toxic)
        return _answer(200, encoding.toxic(toxic), _JSON, self._told(warnings))

    async def _toxic_show(self, _: Request, names: tuple[str, ...]) -> Response:
        return _answer(200, encoding.toxic(self._proxies.get(names[0]).toxics.get(names[1])), _JSON)

    async def _toxic_update(self, request: Request, names: tuple[str, ...]) -> Response:
        toxics = self._proxies.get(names[0]).toxics
        toxic = toxics.get(names[1])
        warnings = Warnings()
        toxics.update(toxic, *bodies.toxic_to_update(request.body, toxic, warnings.append))
        return _answer(200, encoding.toxic(toxic), _JSON, self._told(warnings))

    async def _toxic_delete(self, _: Request, names: tuple[str, ...]) -> Response:
        toxics = self._proxies.get(names[0]).toxics
        toxics.remove(toxics.get(names[1]))
        return _answer(204)

    # ---------------------------------------------------------------------------------------------------------- others

    async def _version(self, _: Request, __: tuple[str, ...]) -> Response:
        return _answer(200, f'{{"version": "{VERSION}"}}\n'.encode(), "application/json;charset=utf-8")

    async def _metrics(self, _: Request, __: tuple[str, ...]) -> Response:
        body = exposition((proxy.figures() for proxy in self._proxies), own_process.figures(self._descriptors))
        return _answer(200, body, "text/plain; version=0.0.4; charset=utf-8")

    def _proxy_answer(self, status: int, proxy: Proxy, warnings: Warnings) -> Response:
        return _answer(status, encoding.proxy(proxy), _JSON, self._told(warnings))

    def _told(self, warnings: Warnings) -> tuple[tuple[str, str], ...]:
        """Warnings as headers of the answer. They also go to the log, since many clients show no headers."""
        for warning in warnings:
            self._log.say(warning)
        return tuple(("Warning", f"299 - {json.dumps(warning)}") for warning in warnings[:_MOST_WARNINGS])


def _answer(status: int, body: bytes = b"", content_type: str = "", headers: Headers = ()) -> Response:
    typed = (("Content-Type", content_type),) if content_type else ()
    return Response(status, body, (*typed, *headers))


def _refusal(error: ApiError) -> Response:
    return _answer(error.status, encoding.refusal(error), _TEXT, _NO_SNIFFING)


def _match(pattern: str, path: str) -> tuple[str, ...] | None:
    """The parts of a path that match the `*`s of a pattern; None if the path does not match."""
    wanted, parts = pattern.split("/"), path.split("/")
    if len(wanted) != len(parts) or any(want not in ("*", part) for want, part in zip(wanted, parts, strict=True)):
        return None
    names = tuple(part for want, part in zip(wanted, parts, strict=True) if want == "*")
    return names if all(names) else None


def _cleaned(path: str) -> str:
    """A path with empty, `.` and `..` parts resolved. A trailing slash is kept."""
    kept: list[str] = []
    for part in re.split("/+", path):
        if part == "..":
            del kept[-1:]
        elif part not in ("", "."):
            kept.append(part)
    cleaned = "/" + "/".join(kept)
    return cleaned + "/" if path.endswith("/") and kept else cleaned
