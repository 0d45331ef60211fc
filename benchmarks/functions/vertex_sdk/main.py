"""A function that starts pipeline jobs by the SDK of Vertex AI, as its pages show, from a compiled package."""

from __future__ import annotations

import os
import uuid
from pathlib import Path

import functions_framework
from cloudevents.http import CloudEvent
from google.cloud import aiplatform
from google.cloud.aiplatform.utils import gcs_utils

# At each event the SDK looks whose the bucket of the pipeline root is, and asks Resource Manager for the project's
# number, by gRPC. There is no stand-in for that, so it is answered here, with the number that the stand-in's buckets
# have, which is none: the SDK is spared a request.
gcs_utils.resource_manager_utils.get_project_number = lambda *_, **__: None
PACKAGE = str(Path(__file__).with_name("pipeline.json"))

# REST, since the stand-in has no gRPC.
aiplatform.init(
    project="acme-ml-dev",
    location="us-central1",
    api_endpoint=os.environ["API_ENDPOINT"],
    api_transport="rest",
)


@functions_framework.cloud_event
def launch(event: CloudEvent) -> None:
    """Runs the pipeline for a new file."""
    job = aiplatform.PipelineJob(
        display_name="echo",
        template_path=PACKAGE,
        pipeline_root="gs://acme-pipelines",
        parameter_values={"filename": f"gs://{event.data['bucket']}/{event.data['name']}"},
        # The SDK's own id has the time in seconds: the second of two events in one second would be refused.
        job_id=f"echo-{uuid.uuid4()}",
    )
    job.submit(service_account="runner@acme-ml-dev.iam.gserviceaccount.com")
