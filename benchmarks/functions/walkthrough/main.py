"""The function of the original walk-through, from its description.

It imports kfp, gets a token from the metadata server, compiles the pipeline on each event and has kfp's client run
it.
"""

import os

import functions_framework
import kfp
import requests
from cloudevents.http import CloudEvent
from kfp import dsl

METADATA = "http://{}/computeMetadata/v1/instance/service-accounts/default/token"


@dsl.component
def read(filename: str) -> str:  # noqa: D103 kfp would put a docstring into the package
    return filename


@dsl.pipeline(name="echo")
def pipeline(filename: str) -> None:  # noqa: D103 as above
    read(filename=filename)


def get_token() -> str:
    """An access token of the function's account."""
    server = METADATA.format(os.environ.get("GCE_METADATA_HOST", "metadata.google.internal"))
    response = requests.get(server, headers={"Metadata-Flavor": "Google"}, timeout=10)
    response.raise_for_status()
    return str(response.json()["access_token"])


@functions_framework.cloud_event
def launch(event: CloudEvent) -> None:
    """Runs the pipeline for a new file."""
    client = kfp.Client(host=os.environ["HOST"], existing_token=get_token())
    client.create_run_from_pipeline_func(
        pipeline,
        arguments={"filename": f"gs://{event.data['bucket']}/{event.data['name']}"},
        experiment_name="gcs-triggered",
    )
