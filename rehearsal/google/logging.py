"""Stand-in for Cloud Logging: entries as Cloud Run makes them of what a function prints, and how they are listed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from operator import itemgetter
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from rehearsal.google.log_filter import read_log_filter

OF_THE_ENTRY = {"severity": "severity", "logging.googleapis.com/trace": "trace"}  # taken out of what was printed


class LogApi:
    """The log of one project, to be served with ``Loopback.serve(log.app)``.

    Nobody may read it while ``denied``. ``short_pages`` are the lengths of the next pages; one of nothing is no end.
    """

    def __init__(self, project: str) -> None:
        self._project = project
        self.entries: list[Mapping[str, Any]] = []
        self.denied = False
        self.short_pages: list[int] = []
        self.app = Starlette(routes=[Route("/v2/entries:list", self._list, methods=["POST"])])

    def write(self, line: str, at: datetime | None = None) -> None:
        """Takes a line of JSON that a function printed."""
        printed = json.loads(line)
        self.entries.append(
            {
                "logName": f"projects/{self._project}/logs/run.googleapis.com%2Fstdout",
                "resource": {"type": "cloud_run_revision"},
                "timestamp": (at or datetime.now(UTC)).isoformat().replace("+00:00", "Z"),
                **{name: printed.pop(key) for key, name in OF_THE_ENTRY.items() if key in printed},
                "jsonPayload": printed,
            }
        )

    async def _list(self, request: Request) -> Response:
        asked = await request.json()
        if self.denied or asked["resourceNames"] != [f"projects/{self._project}"]:
            message = "Permission denied for all log views"
            return JSONResponse({"error": {"code": 403, "message": message, "status": "PERMISSION_DENIED"}}, 403)
        wanted = read_log_filter(asked["filter"])
        latest_first = asked["orderBy"] == "timestamp desc"
        found = sorted(filter(wanted.matches, self.entries), key=itemgetter("timestamp"), reverse=latest_first)
        start = int(asked["pageToken"] or 0)
        end = start + (self.short_pages.pop(0) if self.short_pages else int(asked["pageSize"]))
        page = {"entries": found[start:end]} if found[start:end] else {}
        return JSONResponse(page | ({"nextPageToken": str(end)} if found[end:] else {}))
