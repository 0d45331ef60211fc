"""Recorded previews, and what `iam diff` says of each: `make golden` writes that anew.

The previews are made up after the engine's documented shape, since there is no Pulumi CLI here.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ops.iam.comparing.report import Comparison, to_markdown
from ops.iam.review.inputs import of_preview

PREVIEWS = sorted((Path(__file__).parent / "recorded").glob("*.json"))
BUCKET_MEMBER = "gcp:storage/bucketIAMMember:BucketIAMMember"
PROJECT_MEMBER = "gcp:projects/iAMMember:IAMMember"


def recorded(path: Path) -> Comparison:
    """What a recorded preview would change."""
    return of_preview(json.loads(path.read_text()), path.name)


def state(type_token: str, name: str, inputs: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """A resource's state, as far as it is read."""
    urn = f"urn:pulumi:dev::event-triggered-pipelines::{type_token}::{name}"
    return {"urn": urn, "custom": True, "type": type_token, "inputs": {"__defaults": [], **inputs}, **more}


def step(
    operation: str, before: Mapping[str, Any] | None = None, after: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """One step of a preview."""
    sides = {"oldState": before, "newState": after}
    urn = (after or before or {})["urn"]
    return {"op": operation, "urn": urn, "detailedDiff": None} | {key: side for key, side in sides.items() if side}


def change(*steps: Mapping[str, Any], config: Mapping[str, str] | None = None) -> Comparison:
    """What a preview of these steps would change."""
    return of_preview({"config": config or {}, "steps": list(steps), "changeSummary": {}}, "preview.json")


def effects(comparison: Comparison) -> list[tuple[str, str, str]]:
    """Each change in short: what it is, the role and the member."""
    return [(c.effect, c.permission.role, c.permission.member) for c in comparison.changes]


def roles(comparisons: Iterable[Comparison], effect: str) -> list[str]:
    """The roles of the changes of one kind."""
    return [c.permission.role for comparison in comparisons for c in comparison.changes if c.effect == effect]


if __name__ == "__main__":
    for preview in PREVIEWS:
        preview.with_suffix(".md").write_text(to_markdown([recorded(preview)]))
