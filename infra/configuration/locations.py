"""Where Google Cloud is, so that a made-up region is found before anything is deployed to it. Pure data.

The regions are those of the regional endpoints in Google's own description of the API that runs the launchers
(discovery document of run v2, revision 20261031) and, for pipeline jobs, of aiplatform v1 (20261106), both as
google-api-python-client 2.202.0 carries them. To bring them up to date, take them from a newer one. Cloud Scheduler
and Artifact Registry describe no complete list, so of them Google has the last word.
"""

from __future__ import annotations

AS_OF = "November 2026"
REGIONS = frozenset(
    {
        "africa-south1",
        "asia-east1",
        "asia-east2",
        "asia-northeast1",
        "asia-northeast2",
        "asia-northeast3",
        "asia-south1",
        "asia-south2",
        "asia-southeast1",
        "asia-southeast2",
        "asia-southeast3",
        "asia-southeast4",
        "australia-southeast1",
        "australia-southeast2",
        "europe-central2",
        "europe-north1",
        "europe-north2",
        "europe-southwest1",
        "europe-west1",
        "europe-west10",
        "europe-west12",
        "europe-west15",
        "europe-west2",
        "europe-west3",
        "europe-west4",
        "europe-west6",
        "europe-west8",
        "europe-west9",
        "me-central1",
        "me-central2",
        "me-west1",
        "northamerica-northeast1",
        "northamerica-northeast2",
        "northamerica-south1",
        "southamerica-east1",
        "southamerica-west1",
        "us-central1",
        "us-central2",
        "us-east1",
        "us-east4",
        "us-east5",
        "us-east7",
        "us-south1",
        "us-west1",
        "us-west2",
        "us-west3",
        "us-west4",
        "us-west8",
    }
)
NOT_IN_VERTEX_AI = frozenset({"asia-southeast4", "northamerica-south1"})
# Multi-regions and predefined dual-regions of buckets: docs.cloud.google.com/storage/docs/locations
MULTI_REGIONS = frozenset({"us", "eu", "asia", "nam4", "eur4", "eur5", "eur7", "eur8", "asia1"})
