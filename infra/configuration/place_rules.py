"""Which places Google Cloud has, as far as is known here: one function each, as in rules.py.

The context of a validation holds what the stack says of itself: ``new_region``, which no list here needs to have.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from pydantic import ValidationInfo

from infra.configuration.explain import closest
from infra.configuration.locations import AS_OF, MULTI_REGIONS, NOT_IN_VERTEX_AI, REGIONS
from infra.configuration.rules import REGION, accept


def region_name(value: str, info: ValidationInfo) -> str:
    """A region, not a zone and not a multi-region: functions live in one region."""
    return _listed(_region(value), REGIONS, "Google Cloud", info)


def vertex_location(value: str, info: ValidationInfo) -> str:
    """A region in which pipeline jobs run."""
    return _listed(_region(value), REGIONS - NOT_IN_VERTEX_AI, "Vertex AI", info)


def new_region(value: str) -> str:
    """A region that is accepted though no list here has it; none if it is empty, as Pulumi.yaml has it."""
    return value and _region(value)


def bucket_location(value: str, info: ValidationInfo) -> str:
    """A bucket's location: a region, a multi-region or a predefined dual-region, in either case."""
    place = value.lower()
    if place in MULTI_REGIONS:
        return place
    if re.fullmatch(REGION, place):
        return _listed(place, REGIONS, "Google Cloud", info)
    raise ValueError(
        f"is {value!r}, which is no bucket location; use a region such as us-central1, or US, EU or ASIA"
    )


def _region(value: str) -> str:
    return accept(value, REGION, "use a region such as us-central1: gcloud functions regions list")


def _listed(value: str, regions: Collection[str], whose: str, info: ValidationInfo) -> str:
    """A region that is in the list, or that the stack says is newer than the list."""
    if value in regions or value == (info.context or {}).get("new_region"):
        return value
    close = closest(value, regions)
    meant = f"did you mean {close}? " if close else ""
    fix = f"{meant}if it has now: pulumi config set new_region {value}"
    raise ValueError(f"is {value!r}, which {whose} did not have in {AS_OF}; {fix}")
