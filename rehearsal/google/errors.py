"""What Google's own APIs have in common: how a request says whose it is, and how they word an error."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

STATUSES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    409: "ALREADY_EXISTS",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}


def bearer(request: Request) -> str:
    """The token that a request brings along, empty if there is none."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token if scheme == "Bearer" else ""


def google_error(status: int, message: str) -> Response:
    """An error of a Google API."""
    return JSONResponse({"error": {"code": status, "message": message, "status": STATUSES[status]}}, status)
