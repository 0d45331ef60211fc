"""List prices, in US dollars, of what a stack uses: a table to read beside Google's own pages.

They are those of us-central1 and the other regions of the first tier, before free tiers and discounts. Free tiers are
left out because a billing account shares them, so that a second stack would be shown as free and is not.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

READ = date(2026, 11, 26)  # compare with the pages below: prices change, and archived copies of them were read
GIB = 2**30
TIB = 2**40


@dataclass(frozen=True)
class Price:
    """What one unit costs. ``page`` is where Google says so."""

    dollars: float
    page: str


CPU_SECOND = Price(0.000024, "cloud.google.com/run/pricing")  # request-based billing, per processor
MEMORY_GIB_SECOND = Price(0.0000025, "cloud.google.com/run/pricing")
REQUEST = Price(0.40 / 1e6, "cloud.google.com/run/pricing")
MESSAGE_BYTE = Price(40 / TIB, "cloud.google.com/pubsub/pricing")  # published, and once more when it is delivered
OBJECT_WRITTEN = Price(0.005 / 1000, "cloud.google.com/storage/pricing")  # class A
OBJECT_READ = Price(0.0004 / 1000, "cloud.google.com/storage/pricing")  # class B
STORED_BYTE_MONTH = Price(0.020 / GIB, "cloud.google.com/storage/pricing")
LOG_BYTE = Price(0.50 / GIB, "cloud.google.com/stackdriver/pricing")
SCHEDULER_JOB_MONTH = Price(0.10, "cloud.google.com/scheduler/pricing")
IMAGE_BYTE_MONTH = Price(0.10 / GIB, "cloud.google.com/artifact-registry/pricing")
VERTEX_RUN = Price(0.03, "cloud.google.com/vertex-ai/pricing")  # the fee for a run, beside what its tasks use
