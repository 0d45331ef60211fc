"""An endpoint that starts everything, and keeps what it was asked for last. Nothing leaves this machine."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from urllib3 import HTTPResponse

from function_src.launcher.http import Api, Response

EXPERIMENT = "(the id of the experiment)"  # which only the endpoint knows


class Recorder(Api):
    """In the place of the API of a target: the launcher's own code builds the request that is kept."""

    def __init__(self, origin: str) -> None:
        super().__init__(origin, None, 1)
        self._origin = origin
        self.posted: Mapping[str, Any] = {}

    def send(self, method: str, path: str, **options: Any) -> Response:
        """Answers as KFP or Vertex AI would."""
        answer: Mapping[str, Any] = {"experiments": [{"experiment_id": EXPERIMENT}]}
        if method == "POST":
            query, body = options.get("params", {}), options["json"]
            self.posted = {"method": method, "url": self._origin + path, "params": query, "json": body}
            answer = {"run_id": body.get("run_id"), "name": f"{path}/{query.get('pipelineJobId')}"}
        body = io.BytesIO(json.dumps(answer).encode())
        return Response(HTTPResponse(body, status=HTTPStatus.OK, preload_content=False))
