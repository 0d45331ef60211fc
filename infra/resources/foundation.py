"""What every trigger of a stack stands on: services, service agents, buckets, the build identity. Once per stack."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from functools import cached_property

import pulumi
import pulumi_gcp as gcp

from infra.configuration.settings import StackSettings
from infra.configuration.target_settings import VertexTarget
from infra.resources import grants
from infra.resources.grants import Grant, Principal, Scope

SERVICES = (
    "artifactregistry",
    "cloudbuild",
    "cloudfunctions",
    "cloudresourcemanager",
    "iam",
    "logging",
    "pubsub",
    "run",
    "storage",
)
LONGEST_ACCOUNT_ID = 30


def services_of(settings: StackSettings) -> tuple[str, ...]:
    """The services that a stack's triggers need."""
    own = {None, settings.project}
    of_targets = {
        service
        for trigger in settings.triggers
        for service in trigger.target.services
        # What another project needs enabled is for that project to enable.
        if not isinstance(trigger.target, VertexTarget) or trigger.target.project in own
    }
    scheduled = any(trigger.source.kind == "schedule" for trigger in settings.triggers)
    return (*SERVICES, *sorted(of_targets), *(["cloudscheduler"] if scheduled else []))


class Foundation(pulumi.ComponentResource):
    """Services are left enabled on destroy: other things in the project may use them by then.

    The sources bucket and the ledger stay in the stack's region; neither is emptied on destroy, so a destroy
    stops before it deletes a ledger that still says which event started which run.
    """

    def __init__(self, settings: StackSettings) -> None:
        super().__init__("event-triggered-pipelines:index:Foundation", "foundation")
        self._child = pulumi.ResourceOptions(parent=self)
        self.settings = settings
        self.labels = {"stack": settings.stack}
        self._grants: dict[str, Grant] = {}
        self._roles: dict[str, gcp.projects.IAMCustomRole] = {}
        self.services = [
            gcp.projects.Service(
                name,
                project=settings.project,
                service=f"{name}.googleapis.com",
                disable_on_destroy=False,
                opts=self._child,
            )
            for name in services_of(settings)
        ]
        self._after_services = pulumi.ResourceOptions(parent=self, depends_on=self.services)
        self.storage_agent = self._storage_agent()
        self.pubsub_agent = self._agent("pubsub")
        self.sources = self._bucket("launcher-sources")
        self.ledger = self._bucket("launch-ledger", delete_after_days=settings.ledger_days)
        self.build_account, self.repository, self.ready_to_build = self._build()
        self.register_outputs({})

    def account(self, name: str, description: str, parent: pulumi.Resource) -> gcp.serviceaccount.Account:
        """Makes a service account called ``stack-name``, shortened with a hash where that is too long."""
        account_id = f"{self.settings.stack}-{name}"
        if len(account_id) > LONGEST_ACCOUNT_ID:
            account_id = f"{account_id[:23].rstrip('-')}-{hashlib.sha256(account_id.encode()).hexdigest()[:6]}"
        return gcp.serviceaccount.Account(
            name,
            account_id=account_id,
            display_name=f"{self.settings.stack} {name}",
            description=description,
            opts=pulumi.ResourceOptions(parent=parent, depends_on=self.services),
        )

    def grant(
        self,
        role: str,
        *,
        on: Scope,
        to: Principal,
        reason: str,
        condition: Mapping[str, pulumi.Input[str]] | None = None,
        after: Sequence[pulumi.Resource] = (),
    ) -> Grant:
        """Gives a permission that several triggers may need: once, as the stack's and not as a trigger's.

        To Google Cloud two equal grants are one, and removing one of them would remove both.
        """
        grant = self._grants.get(name := grants.grant_name(role, on, to))
        if grant is None:
            after = [*self.services, *after]
            grant = Grant(role, on=on, to=to, reason=reason, parent=self, condition=condition, after=after)
            self._grants[name] = grant
        return grant

    def role(self, role_id: str, project: str, title: str, permissions: Sequence[str]) -> gcp.projects.IAMCustomRole:
        """A role of the stack's own, where no predefined one is narrow enough: once in each project."""
        role = self._roles.get(name := f"{project}/{role_id}")
        if role is None:
            role = self._roles[name] = gcp.projects.IAMCustomRole(
                name,
                project=project,
                role_id=role_id,
                title=title,
                permissions=list(permissions),
                opts=self._after_services,
            )
        return role

    def let_record(self, launcher: Principal) -> Grant:
        """Lets a launcher keep the ledger: create, read and replace claims, and give them back."""
        return self.grant(
            "roles/storage.objectUser",
            on=grants.on_bucket("launch-ledger", self.ledger.name),
            to=launcher,
            reason="The launcher claims each event in the ledger, and records what became of it",
        )

    def let_fence(self, runner: Principal) -> list[Grant]:
        """Lets the fences of runs note in the ledger whose an event is, and read it where another was there first."""
        objects = pulumi.Output.concat("projects/_/buckets/", self.ledger.name, "/objects/started/")
        condition: dict[str, pulumi.Input[str]] = {
            "title": "Notes of fences",
            "expression": pulumi.Output.format('resource.name.startsWith("{0}")', objects),
        }
        reasons = {
            "roles/storage.objectCreator": "The fence of a run notes which workflow works for its event",
            "roles/storage.objectViewer": "A fence that comes second reads whose note is there, and can change none",
        }
        ledger = grants.on_bucket("launch-ledger", self.ledger.name)
        return [
            self.grant(role, on=ledger, to=runner, reason=reason, condition=condition)
            for role, reason in reasons.items()
        ]

    def compute_account(self) -> pulumi.Output[str]:
        """The Compute Engine default account's address."""
        project = gcp.organizations.get_project_output(
            project_id=self.settings.project, opts=pulumi.InvokeOutputOptions(depends_on=self.services)
        )
        return pulumi.Output.concat(project.number, "-compute@developer.gserviceaccount.com")

    @cached_property
    def scheduler_agent(self) -> Principal:
        """Cloud Scheduler's agent, for stacks that have a schedule."""
        return self._agent("cloudscheduler")

    def _storage_agent(self) -> Principal:
        """Cloud Storage's agent. Asking for it is what makes it exist, so its address is not computed."""
        agent = gcp.storage.get_project_service_account_output(
            project=self.settings.project, opts=pulumi.InvokeOutputOptions(parent=self, depends_on=self.services)
        )
        return grants.account("storage-agent", agent.email_address)

    def _agent(self, service: str) -> Principal:
        """A service's agent, made to exist: enabling the API does not, and waiting never helps (pulumi-gcp#1290)."""
        agent = gcp.projects.ServiceIdentity(
            f"{service}-agent",
            project=self.settings.project,
            service=f"{service}.googleapis.com",
            opts=self._after_services,
        )
        return grants.account(f"{service}-agent", agent.email)

    def _bucket(self, name: str, delete_after_days: int | None = None) -> gcp.storage.Bucket:
        forget = gcp.storage.BucketLifecycleRuleArgs(
            action=gcp.storage.BucketLifecycleRuleActionArgs(type="Delete"),
            condition=gcp.storage.BucketLifecycleRuleConditionArgs(age=delete_after_days),
        )
        return gcp.storage.Bucket(
            name,
            location=self.settings.region,
            uniform_bucket_level_access=True,
            public_access_prevention="enforced",
            lifecycle_rules=[forget] if delete_after_days else None,
            labels=self.labels,
            opts=self._after_services,
        )

    def _build(self) -> tuple[gcp.serviceaccount.Account, gcp.artifactregistry.Repository, list[pulumi.Resource]]:
        """The identity that builds functions. The default one has no roles in new organisations, and builds fail.

        Its own repository keeps the right to push images to that repository. Sources are copied by Cloud
        Functions into a bucket that exists only after the first deployment, hence a condition on its name.
        """
        build = self.account("build", "Builds the launchers' images; runs nothing", self)
        repository = gcp.artifactregistry.Repository(
            "launchers",
            repository_id=f"{self.settings.stack}-launchers",
            location=self.settings.region,
            format="DOCKER",
            description="Images of the launchers, built by Cloud Functions",
            labels=self.labels,
            opts=self._after_services,
        )
        principal = grants.account("build", build.email)
        project = grants.on_project(self.settings.project)
        given: list[pulumi.Resource] = [
            Grant(
                "roles/logging.logWriter",
                on=project,
                to=principal,
                reason="Cloud Build writes the build's log; logs have no narrower resource",
                parent=self,
            ),
            Grant(
                "roles/artifactregistry.writer",
                on=grants.on_repository("launchers", repository),
                to=principal,
                reason="Cloud Build pushes the launchers' images",
                parent=self,
            ),
            Grant(
                "roles/storage.objectViewer",
                on=project,
                to=principal,
                reason="Cloud Build reads the copy of the source that Cloud Functions makes in its own bucket",
                condition={
                    "title": "Sources of Cloud Functions",
                    "expression": 'resource.name.startsWith("projects/_/buckets/gcf-v2-sources-")',
                },
                parent=self,
            ),
        ]
        return build, repository, given
