"""The stack's configuration, as the engine tells a pack.

Engines put it into PULUMI_CONFIG until they came to say it in a call, ConfigureStack (seen with 3.274), of which
pulumi-policy 1.21 takes nothing but tags. A pack that does not listen takes every stack for one that declares
nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pulumi
from pulumi.runtime.proto import analyzer_pb2_grpc

_told: dict[str, str] = {}


def configuration() -> Mapping[str, str]:
    """The configuration by its full keys; lists and maps as JSON."""
    return _told or pulumi.runtime.get_config_env()


def listen() -> None:
    """Has the pack that is served after this hear the call."""
    serve = analyzer_pb2_grpc.add_AnalyzerServicer_to_server

    def serve_listening(servicer: Any, server: Any) -> None:
        configure = servicer.ConfigureStack

        def hear(request: Any, context: Any) -> Any:
            _told.update(request.config)
            return configure(request, context)

        servicer.ConfigureStack = hear
        serve(servicer, server)

    analyzer_pb2_grpc.add_AnalyzerServicer_to_server = serve_listening
