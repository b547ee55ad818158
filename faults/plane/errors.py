"""Errors of the API, with Toxiproxy's status codes and messages."""

from __future__ import annotations


class ApiError(Exception):
    """A refused request. `message` and `status` become the body `{"error": …, "status": …}`."""

    def __init__(self, message: str, status: int = 500) -> None:
        super().__init__(message)
        self.message = message
        self.status = status


def bad_body(reason: str) -> ApiError:
    return ApiError(f"bad request body: {reason}", 400)


def too_long(limit_bytes: int) -> ApiError:
    return ApiError(f"bad request body: longer than {limit_bytes} bytes", 413)


def missing_field(name: str) -> ApiError:
    return ApiError(f"missing required field: {name}", 400)


def upstream_is_url(upstream: str) -> ApiError:
    return ApiError(f"upstream {upstream!r} is a URL; a proxy takes host:port", 400)


def proxy_not_found() -> ApiError:
    return ApiError("proxy not found", 404)


def proxy_exists() -> ApiError:
    return ApiError("proxy already exists", 409)


def toxic_not_found() -> ApiError:
    return ApiError("toxic not found", 404)


def toxic_exists() -> ApiError:
    return ApiError("toxic already exists", 409)


def invalid_stream() -> ApiError:
    return ApiError("stream was invalid, can be either upstream or downstream", 400)


def invalid_toxic_type() -> ApiError:
    return ApiError("invalid toxic type", 400)
