"""Cloud Storage: buckets, their objects and notifications."""

from __future__ import annotations

from typing import Any

from rehearsal.engine.cloud import Cloud, CloudError, Thing
from rehearsal.engine.kinds.kind import LABELS, Kind, properties
from rehearsal.engine.values import Values
from rehearsal.program import PROJECT_NUMBER

AGENT = f"service-{PROJECT_NUMBER}@gs-project-accounts.iam.gserviceaccount.com"


class Bucket(Kind):
    """A bucket. Its name is one in all of Google Cloud; a full one is not deleted."""

    type = "gcp:storage/bucket:Bucket"
    required = properties("location name")
    optional = properties(
        "autoclass cors customPlacementConfig defaultEventBasedHold deletionPolicy enableObjectRetention encryption "
        "forceDestroy hierarchicalNamespace ipFilter labels lifecycleRules logging project publicAccessPrevention "
        "requesterPays retentionPolicy rpo softDeletePolicy storageClass uniformBucketLevelAccess versioning website"
    )
    replaces = properties("name location project customPlacementConfig enableObjectRetention hierarchicalNamespace")
    autoname = "name"
    defaults = {"forceDestroy": False, "storageClass": "STANDARD"}  # noqa: RUF012 a table
    computed = ("url", "selfLink", "projectNumber", "timeCreated", "updated", *LABELS)
    service = "storage"
    prefix = "storage.buckets"
    path = "{name}"
    permissions = {"delete": ("storage.objects.list", "storage.buckets.delete")}  # noqa: RUF012 a table

    def refer(self, cloud: Cloud, inputs: Values) -> None:
        """A name that somebody has is refused, whoever they are."""
        if inputs["name"] in cloud.given.buckets:
            raise CloudError(
                "googleapi: Error 409: The requested bucket name is not available. The bucket namespace is shared by "
                "all users of the system. Please select a different name and try again., conflict"
            )

    def compute(self, cloud: Cloud, inputs: Values) -> dict[str, Any]:
        """Where it is: Cloud Storage writes locations in capitals."""
        cloud.objects.setdefault(inputs["name"], {})
        place = inputs["location"].upper()
        return {"location": place, "url": f"gs://{inputs['name']}", "projectNumber": int(PROJECT_NUMBER)}

    def delete(self, cloud: Cloud, thing_id: str, inputs: Values) -> None:
        """Deletes one that is empty."""
        if cloud.objects.get(thing_id):
            raise CloudError(
                f"Error trying to delete bucket {thing_id} containing objects without `force_destroy` set to true"
            )
        super().delete(cloud, thing_id, inputs)
        cloud.objects.pop(thing_id, None)


class BucketObject(Kind):
    """An object that is uploaded."""

    type = "gcp:storage/bucketObject:BucketObject"
    required = properties("bucket name")
    optional = properties(
        "cacheControl content contentDisposition contentEncoding contentLanguage contentType contexts "
        "customerEncryption deletionPolicy detectMd5hash eventBasedHold forceEmptyContentType kmsKeyName metadata "
        "retention source sourceMd5hash storageClass temporaryHold"
    )
    replaces = properties("bucket name source")
    autoname = "name"
    computed = ("generation", "crc32c", "md5hash", "mediaLink", "outputName", "selfLink")
    service = "storage"
    path = "{bucket}-{name}"
    permissions = {  # noqa: RUF012 a table
        "create": ("storage.objects.create", "storage.objects.get"),
        "read": ("storage.objects.get",),
        "update": ("storage.objects.update", "storage.objects.get"),
        "delete": ("storage.objects.delete", "storage.objects.get"),
    }

    def refer(self, cloud: Cloud, inputs: Values) -> None:
        """Its bucket must be there."""
        if not cloud.there_is(inputs["bucket"]):
            raise CloudError("googleapi: Error 404: The specified bucket does not exist., notFound")

    def create(self, cloud: Cloud, inputs: Values) -> Thing:
        """Uploads it, in the place of whatever had the name."""
        cloud.things.pop(self.identify(inputs), None)
        return super().create(cloud, inputs)

    def compute(self, cloud: Cloud, inputs: Values) -> dict[str, Any]:
        """Its generation."""
        generation = next(cloud.generations)
        cloud.objects.setdefault(inputs["bucket"], {})[inputs["name"]] = generation
        return {"generation": generation, "outputName": inputs["name"]}

    def delete(self, cloud: Cloud, thing_id: str, inputs: Values) -> None:
        """Deletes it."""
        super().delete(cloud, thing_id, inputs)
        cloud.objects.get(inputs["bucket"], {}).pop(inputs["name"], None)


class Notification(Kind):
    """A bucket's announcements on a topic, on which its agent must be able to publish."""

    type = "gcp:storage/notification:Notification"
    required = properties("bucket payloadFormat topic")
    optional = properties("customAttributes eventTypes objectNamePrefix")
    replaces = required | optional
    computed = ("notificationId", "selfLink")
    service = "storage"
    permissions = dict.fromkeys(("create", "delete"), ("storage.buckets.get", "storage.buckets.update")) | {
        "read": ("storage.buckets.get",)
    }

    def identify(self, inputs: Values) -> str:
        """A number, which says nothing of what is in it."""
        return f"{inputs['bucket']}/notificationConfigs/{inputs['number']}"

    def create(self, cloud: Cloud, inputs: Values) -> Thing:
        """Numbers it."""
        made = super().create(cloud, {**inputs, "number": next(cloud.generations) % 1000})
        made.computed["notificationId"] = str(made.inputs.pop("number"))
        return made

    def refer(self, cloud: Cloud, inputs: Values) -> None:
        """Cloud Storage publishes a first message to see whether it may."""
        if not cloud.there_is(inputs["bucket"]):
            raise CloudError("googleapi: Error 404: The specified bucket does not exist., notFound")
        if not (cloud.there_is(inputs["topic"]) and cloud.holds(AGENT, "roles/pubsub.publisher", inputs["topic"])):
            raise CloudError(
                f"googleapi: Error 403: The service account '{AGENT}' does not have permission to publish messages "
                f"to to the Cloud Pub/Sub topic '//pubsub.googleapis.com/{inputs['topic']}', or that topic does not "
                "exist., forbidden"
            )
