"""Grants: one member of one role on one thing, added to what is there."""

from __future__ import annotations

import time
from typing import ClassVar

from rehearsal.engine.cloud import Cloud, CloudError, Thing
from rehearsal.engine.kinds.kind import Kind, properties
from rehearsal.engine.values import Values


class Member(Kind):
    """A grant. Another value of anything replaces it, and the old one is deleted first."""

    required = properties("member role")
    optional = properties("condition project")
    replaces = properties("member role condition project")
    computed = ("etag",)
    delete_first = True
    scope: ClassVar[str]
    """What the grant is on: the key of its policy, in terms of the inputs."""

    def on(self, inputs: Values) -> str:
        """The key of the policy that the grant is in."""
        return self.scope.format(**inputs)

    def is_there(self, cloud: Cloud, inputs: Values) -> bool:
        """Whether what it is on is there."""
        return cloud.there_is(self.on(inputs))

    def identify(self, inputs: Values) -> str:
        """Scope, role, member, and the title of a condition."""
        title = inputs.get("condition", {}).get("title")
        return "/".join([self.on(inputs), inputs["role"], inputs["member"], *([title] if title else [])])

    def create(self, cloud: Cloud, inputs: Values) -> Thing:
        """Adds the member to the policy."""
        self.may(cloud, inputs, "create")
        cloud.fail(self.type, "create")
        self.refer(cloud, inputs)
        cloud.policies.setdefault(self.on(inputs), {}).setdefault(_key(inputs), time.monotonic())
        return self._thing(inputs)

    def refer(self, cloud: Cloud, inputs: Values) -> None:
        """What it is on, the account and a role of the stack's own must be there."""
        if not self.is_there(cloud, inputs):
            raise CloudError(
                f"Error retrieving IAM policy for {self.on(inputs)}: googleapi: Error 404: Resource "
                f"'{self.on(inputs)}' was not found., notFound"
            )
        kind, _, email = inputs["member"].partition(":")
        if kind == "serviceAccount":
            cloud.need_account(email)
        elif kind not in ("user", "group", "domain", "principal", "principalSet"):
            raise CloudError(f"googleapi: Error 400: Invalid member {inputs['member']}., badRequest")
        role = inputs["role"]
        if role.startswith(f"projects/{cloud.project}/") and role not in cloud.things:
            raise CloudError(f"googleapi: Error 400: Role ({role}) does not exist in the resource's hierarchy.")

    def read(self, cloud: Cloud, thing_id: str, inputs: Values) -> Thing | None:
        """Whether the member is in the policy."""
        self.may(cloud, inputs, "read")
        there = self.is_there(cloud, inputs) and _key(inputs) in cloud.policies.get(self.on(inputs), {})
        return self._thing(inputs) if there else None

    def delete(self, cloud: Cloud, thing_id: str, inputs: Values) -> None:
        """Takes the member out of the policy: whoever else gave the same has lost it too."""
        self.may(cloud, inputs, "delete")
        cloud.policies.get(self.on(inputs), {}).pop(_key(inputs), None)

    def may(self, cloud: Cloud, inputs: Values, verb: str) -> None:
        """Reading takes one permission, writing another."""
        verbs = ["getIamPolicy"] if verb == "read" else ["getIamPolicy", "setIamPolicy"]
        cloud.need(inputs["project"], *(f"{self.prefix}.{each}" for each in verbs))

    def _thing(self, inputs: Values) -> Thing:
        return Thing(self.type, self.identify(inputs), dict(inputs), {"etag": "BwY="}, time.monotonic())


def _key(inputs: Values) -> tuple[str, str, str]:
    return inputs["role"], inputs["member"], inputs.get("condition", {}).get("expression", "")


class ProjectMember(Member):
    """A grant on a project."""

    type = "gcp:projects/iAMMember:IAMMember"
    required = properties("member project role")
    optional = properties("condition")
    prefix = "resourcemanager.projects"
    scope = "projects/{project}"

    def is_there(self, cloud: Cloud, inputs: Values) -> bool:
        """Projects are."""
        return True


class BucketMember(Member):
    """A grant on a bucket."""

    type = "gcp:storage/bucketIAMMember:BucketIAMMember"
    required = properties("bucket member role")
    optional = properties("condition")
    replaces = Member.replaces | {"bucket"}
    prefix = "storage.buckets"
    scope = "{bucket}"


class TopicMember(Member):
    """A grant on a topic, which is named with its project or without."""

    type = "gcp:pubsub/topicIAMMember:TopicIAMMember"
    required = properties("member role topic")
    replaces = Member.replaces | {"topic"}
    prefix = "pubsub.topics"

    def on(self, inputs: Values) -> str:
        """The topic's full name."""
        name = str(inputs["topic"])
        return name if "/" in name else f"projects/{inputs['project']}/topics/{name}"


class SubscriptionMember(Member):
    """A grant on a subscription."""

    type = "gcp:pubsub/subscriptionIAMMember:SubscriptionIAMMember"
    required = properties("member role subscription")
    replaces = Member.replaces | {"subscription"}
    prefix = "pubsub.subscriptions"

    def on(self, inputs: Values) -> str:
        """The subscription's full name."""
        name = str(inputs["subscription"])
        return name if "/" in name else f"projects/{inputs['project']}/subscriptions/{name}"


class RepositoryMember(Member):
    """A grant on a repository."""

    type = "gcp:artifactregistry/repositoryIamMember:RepositoryIamMember"
    required = properties("member repository role")
    optional = properties("condition location project")
    replaces = Member.replaces | {"repository", "location"}
    prefix = "artifactregistry.repositories"
    scope = "projects/{project}/locations/{location}/repositories/{repository}"


class RunMember(Member):
    """A grant on the Cloud Run service under a function, which is there only once the function was built."""

    type = "gcp:cloudrunv2/serviceIamMember:ServiceIamMember"
    required = properties("member name role")
    optional = properties("condition location project")
    replaces = Member.replaces | {"name", "location"}
    prefix = "run.services"
    scope = "projects/{project}/locations/{location}/services/{name}"

    def is_there(self, cloud: Cloud, inputs: Values) -> bool:
        """A function that was never built has none."""
        return self.on(inputs) in cloud.running


class AccountMember(Member):
    """A grant on a service account: named by its full name, its project may be left open."""

    type = "gcp:serviceaccount/iAMMember:IAMMember"
    required = properties("member role serviceAccountId")
    optional = properties("condition")
    replaces = Member.replaces | {"serviceAccountId"}
    prefix = "iam.serviceAccounts"
    scope = "{serviceAccountId}"

    def is_there(self, cloud: Cloud, inputs: Values) -> bool:
        """The account must be there, wherever that is."""
        email = inputs["serviceAccountId"].rsplit("/", 1)[-1]
        return email in cloud.given.accounts or email in cloud.accounts


class BackendServiceMember(Member):
    """A grant on a backend service behind Identity-Aware Proxy."""

    type = "gcp:iap/webBackendServiceIamMember:WebBackendServiceIamMember"
    required = properties("member role webBackendService")
    replaces = Member.replaces | {"webBackendService"}
    prefix = "iap.webServices"
    scope = "{webBackendService}"

    def is_there(self, cloud: Cloud, inputs: Values) -> bool:
        """Somebody else makes those."""
        return inputs["webBackendService"] in cloud.given.backend_services
