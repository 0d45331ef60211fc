"""What somebody who uses the project makes of the files that are theirs: nothing in them is as the samples are."""

from __future__ import annotations

from pathlib import Path

FILES = {
    "Pulumi.dev.yaml": """config:
  gcp:project: umbrella-vision-lab
  gcp:region: asia-northeast1
  event-triggered-pipelines:triggers:
    - name: scans
      source: {kind: gcs, bucket: umbrella-scans, prefix: raw/, glob: "**/*.dcm"}
      pipeline: sort_scans
      parameters:
        scan: object.uri
        size: object.size
      target:
        kind: kfp
        host: https://fedcba9876543210-dot-asia-northeast1.pipelines.googleusercontent.com
        access: service-account-user
      identity: dedicated
    - name: mornings
      source: {kind: schedule, cron: "0 6 * * *", time_zone: Asia/Tokyo}
      pipeline: echo
      parameters:
        filename: event.time
      target:
        kind: vertex
        pipeline_root: gs://umbrella-runs/mornings
        service_account: runner@umbrella-vision-lab.iam.gserviceaccount.com
      identity: dedicated
""",
    "Pulumi.staging.yaml": """config:
  gcp:project: umbrella-vision-staging
  gcp:region: asia-northeast1
  event-triggered-pipelines:triggers:
    - name: models
      source: {kind: pubsub, topic: projects/umbrella-vision-staging/topics/models}
      pipeline: compare_models
      parameters:
        model: content.model
      target:
        kind: kfp
        host: https://kfp.umbrella.example
        access: none
""",
    "pipelines/sort_scans.py": """import os, sys
from kfp import dsl
from pipelines.images import *

@dsl.component(base_image = PYTHON)
def sort(scan:str,size:int)->str:
        unused=1
        return scan if size>0 else 'empty'

@dsl.pipeline(name='sort-scans')
def p( scan:str,size:int ):
        l=sort(scan=scan,size=size)
""",
    "pipelines/compare_models.py": """import umbrella_models
from kfp import dsl


@dsl.component(base_image=umbrella_models.IMAGE)
def compare(model: str) -> str:
    return umbrella_models.compare(model)


@dsl.pipeline(name="compare-models")
def compare_models(model: str):
    compare(model=model)
""",
    "iam/dev.json": "{}\n",
}


def move_in(project: Path) -> None:
    """Puts somebody's files into a copy of the project that has nobody's."""
    for name, text in FILES.items():
        (project / name).parent.mkdir(exist_ok=True)
        (project / name).write_text(text)
