"""The Cloud Function's entry point: ``launch``, called for every delivery.

Settings and package are read when the process starts, so that wrong ones fail the deployment and not the events.
"""

from __future__ import annotations

from pathlib import Path

import flask

from launcher.launch import Launcher
from launcher.mapping.schema import read_schema
from launcher.package import read_package
from launcher.settings import read_trigger

HERE = Path(__file__).parent
LAUNCHER = Launcher(read_trigger(), read_package((HERE / "pipeline.json").read_bytes()), read_schema(HERE))


def launch(request: flask.Request) -> tuple[str, int]:
    """Answers 200 when the launcher is finished with the delivery, 503 to have it delivered again.

    Never 4xx: to Pub/Sub that is one more redelivery, for hours, of what will never be right.
    """
    headers = {name.lower(): value for name, value in request.headers.items()}
    delivery = LAUNCHER.handle(headers, request.get_data(cache=False))
    return delivery.outcome, delivery.status
