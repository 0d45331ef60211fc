"""Repositories of images, sinks of logs, jobs of Cloud Scheduler."""

from __future__ import annotations

import time
from typing import Any

from rehearsal.engine.cloud import Cloud, CloudError, HalfMadeError, Thing
from rehearsal.engine.kinds.kind import LABELS, Kind, properties
from rehearsal.engine.values import Values
from rehearsal.program import PROJECT_NUMBER

LOGGING_AGENT = f"service-{PROJECT_NUMBER}@gcp-sa-logging.iam.gserviceaccount.com"


class Repository(Kind):
    """A repository of Artifact Registry."""

    type = "gcp:artifactregistry/repository:Repository"
    required = properties("format location repositoryId")
    optional = properties(
        "cleanupPolicies cleanupPolicyDryRun deletionPolicy description dockerConfig kmsKeyName labels mavenConfig "
        "mode project remoteRepositoryConfig virtualRepositoryConfig vulnerabilityScanningConfig"
    )
    replaces = properties("format location repositoryId project kmsKeyName mode")
    autoname = "repositoryId"
    defaults = {"mode": "STANDARD_REPOSITORY"}  # noqa: RUF012 a table
    computed = ("name", "createTime", "updateTime", *LABELS)
    service = "artifactregistry"
    prefix = "artifactregistry.repositories"
    path = "projects/{project}/locations/{location}/repositories/{repositoryId}"

    def compute(self, cloud: Cloud, inputs: Values) -> dict[str, Any]:
        """Its name is its id's end."""
        return {"name": inputs["repositoryId"]}


class Sink(Kind):
    """A sink of a project's log, and the agent that writes for it."""

    type = "gcp:logging/projectSink:ProjectSink"
    required = properties("destination name")
    optional = properties(
        "bigqueryOptions customWriterIdentity deletionPolicy description disabled exclusions filter project "
        "uniqueWriterIdentity"
    )
    replaces = properties("name project")
    autoname = "name"
    defaults = {"uniqueWriterIdentity": True}  # noqa: RUF012 a table
    computed = ("writerIdentity",)
    service = "logging"
    prefix = "logging.sinks"
    path = "projects/{project}/sinks/{name}"

    def refer(self, cloud: Cloud, inputs: Values) -> None:
        """Its topic must be there."""
        topic = inputs["destination"].removeprefix("pubsub.googleapis.com/")
        if not cloud.there_is(topic):
            raise CloudError(f"googleapi: Error 404: Resource not found (resource={topic})., notFound")

    def compute(self, cloud: Cloud, inputs: Values) -> dict[str, Any]:
        """Who writes, which is known only now."""
        cloud.accounts.setdefault(LOGGING_AGENT, time.monotonic())
        return {"writerIdentity": f"serviceAccount:{LOGGING_AGENT}"}


class Job(Kind):
    """A job of Cloud Scheduler, which the provider resumes once it is made."""

    type = "gcp:cloudscheduler/job:Job"
    required = properties("name region")
    optional = properties(
        "appEngineHttpTarget attemptDeadline deletionPolicy description httpTarget paused project pubsubTarget "
        "retryConfig schedule timeZone"
    )
    replaces = properties("name region project")
    autoname = "name"
    defaults = {"timeZone": "Etc/UTC"}  # noqa: RUF012 a table
    computed = ("state",)
    service = "cloudscheduler"
    prefix = "cloudscheduler.jobs"
    path = "projects/{project}/locations/{region}/jobs/{name}"

    def refer(self, cloud: Cloud, inputs: Values) -> None:
        """Its topic must be there."""
        if not cloud.there_is(topic := inputs["pubsubTarget"]["topicName"]):
            raise CloudError(f"googleapi: Error 404: Resource not found (resource={topic})., notFound")

    def create(self, cloud: Cloud, inputs: Values) -> Thing:
        """Makes it, and resumes it: which asks for a permission of its own when the job is there already."""
        made = super().create(cloud, inputs)
        try:
            cloud.need(inputs["project"], "cloudscheduler.jobs.enable")
        except CloudError as error:
            raise HalfMadeError(str(error)) from None
        return made

    def compute(self, cloud: Cloud, inputs: Values) -> dict[str, Any]:
        """It runs."""
        return {"state": "ENABLED"}
