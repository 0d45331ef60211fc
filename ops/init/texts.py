"""The texts of the files that `init` writes: a stack file, a pipeline, and a sample with what is expected of it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from textwrap import indent
from typing import Any

from ops.init.answers import KFP, Answers
from ops.rehearse.files import OBJECTS
from ops.trying.samples import EXPECTED

TEMPLATES = Path(__file__).parent / "templates"
PLAIN = re.compile(r"[A-Za-z][\w./:@-]*[\w/]")  # what YAML takes for text without quotes
URI = "gs://acme-incoming/{file}"  # of samples that name a file
FILES = {
    "hello.txt": "Hello from the sample.\n",
    "orders.csv": "order_id,quantity,amount\n1,1,9.5\n2,2,21.0\n3,4,40.5\n4,3,29.0\n",
}
FILE_OF = {"echo": "hello.txt", "validate_csv": "orders.csv", "train": "orders.csv"}
LOADS = """kind: log
filter: |  # finished loads of BigQuery; a run gets the first file that was loaded
  log_id("cloudaudit.googleapis.com/data_access")
  protoPayload.metadata.jobChange.after = "DONE"
  protoPayload.metadata.jobChange.job.jobConfig.type = "IMPORT"
  NOT protoPayload.metadata.jobChange.job.jobStatus.errorResult.code : *"""
# By source: how it stands in the stack file, and the expression for the file that a run is about.
SOURCES = {
    "gcs": ("kind: gcs\nprefix: incoming/", "object.uri"),
    "pubsub": ("kind: pubsub", "content.uri"),
    "log": (LOADS, "log.protoPayload.metadata.jobChange.job.jobConfig.loadConfig.sourceUris[0]"),
    "schedule": (
        "kind: schedule\ncron: 0 6 * * 1-5\ntime_zone: Etc/UTC\npayload: {{uri: {uri}}}  # yours",
        "content.uri",
    ),
}
# By template: the inputs of its pipeline beside the file, each as it stands in the stack file and as a run gets it.
FILE_INPUT = {"echo": "filename", "validate_csv": "csv_uri", "train": "data_uri"}
OTHER_INPUTS: Mapping[str, Mapping[str, Any]] = {
    "echo": {},
    "validate_csv": {"required_columns": ["order_id", "amount"]},
    "train": {"feature": "quantity", "label": "amount"},
}


def stack_text(answers: Answers) -> str:
    """The stack file."""
    source, expression = SOURCES[answers.source]
    others = OTHER_INPUTS[answers.template]
    parameters = [f"{FILE_INPUT[answers.template]}: {expression}"]
    parameters += [f"{name}: {{value: {_flow(value)}}}" for name, value in others.items()]
    return f"""# yaml-language-server: $schema=docs/stack.schema.json
# Written by `pipeline-trigger init`; from here on it is yours. docs/configuration.md has every key.
config:
  gcp:project: {_scalar(answers.project)}
  gcp:region: {answers.region}
  event-triggered-pipelines:triggers:
    - name: {answers.trigger}
      source:
{_block(source.format(uri=_uri(answers)))}
      pipeline: {answers.pipeline}  # pipelines/{answers.pipeline}.py, compiled when the program runs
      parameters:  # JMESPath over the event: docs/recipes.md
{_block(chr(10).join(parameters))}
      target:
{_block(_target(answers))}
      identity: dedicated
"""


def pipeline_text(answers: Answers) -> str:
    """The pipeline, as the template stands."""
    return (TEMPLATES / f"{answers.template}.py").read_text()


def sample_of(answers: Answers) -> str:
    """The name of the sample's file."""
    stem = FILE_OF[answers.template]
    return stem if answers.source == "gcs" else f"{stem.partition('.')[0]}.{_KINDS[answers.source]}.json"


def sample_texts(answers: Answers) -> dict[str, str]:
    """The sample, what its run is to be given, and the file that it names."""
    file = FILE_OF[answers.template]
    own = answers.source == "gcs"
    uri = f"gs://{answers.trigger}-bucket/incoming/{file}" if own else _uri(answers)
    texts = {sample_of(answers): FILES[file] if own else _json(_event(answers.source, uri, answers.project))}
    if not own:
        texts[f"{OBJECTS}/{file}"] = FILES[file]
    parameters = {FILE_INPUT[answers.template]: uri, **OTHER_INPUTS[answers.template]}
    return {**texts, f"{sample_of(answers)}{EXPECTED}": _json({"parameters": parameters})}


_KINDS = {"pubsub": "message", "log": "log", "schedule": "schedule"}


def _event(source: str, uri: str, project: str) -> Any:
    match source:
        case "pubsub":
            return {"attributes": {}, "data": {"uri": uri}}
        case "schedule":
            return {"time": "2026-11-23T06:00:00Z"}
    return _loaded(uri, project)


def _loaded(uri: str, project: str) -> Any:
    """The log entry of a finished load, as far as it matters: cloud.google.com/bigquery/docs/reference/auditlogs."""
    job = {
        "jobConfig": {"type": "IMPORT", "loadConfig": {"sourceUris": [uri]}},
        "jobName": f"projects/{project}/jobs/load-1",
        "jobStatus": {"jobState": "DONE"},
    }
    return {
        "insertId": "-8h3x2zdc6v6",
        "logName": f"projects/{project}/logs/cloudaudit.googleapis.com%2Fdata_access",
        "protoPayload": {
            "@type": "type.googleapis.com/google.cloud.audit.AuditLog",
            "metadata": {"jobChange": {"after": "DONE", "job": job}},
            "methodName": "google.cloud.bigquery.v2.JobService.InsertJob",
            "serviceName": "bigquery.googleapis.com",
        },
        "resource": {"type": "bigquery_project", "labels": {"project_id": project}},
        "severity": "INFO",
        "timestamp": "2026-11-22T02:00:09.987654Z",
    }


def _uri(answers: Answers) -> str:
    return URI.format(file=FILE_OF[answers.template])


def _target(answers: Answers) -> str:
    if answers.target == KFP:
        return f"kind: kfp\nhost: {_scalar(answers.host)}\naccess: {answers.access}"
    root, account = map(_scalar, (answers.pipeline_root, answers.service_account))
    return f"kind: vertex\npipeline_root: {root}\nservice_account: {account}"


def _scalar(value: str) -> str:
    return value if PLAIN.fullmatch(value) else json.dumps(value)


def _flow(value: Any) -> str:
    return f"[{', '.join(value)}]" if isinstance(value, list) else str(value)


def _block(text: str) -> str:
    return indent(text, " " * 8)


def _json(value: Any) -> str:
    return json.dumps(value, indent=2) + "\n"
