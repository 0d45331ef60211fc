"""A function that does nothing: what functions-framework costs by itself."""

from __future__ import annotations

import flask


def launch(_: flask.Request) -> str:
    """Answers."""
    return "done"
