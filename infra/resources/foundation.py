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
from infra.resources.origin import Origin
from infra.resources.propagation import NewGrants
from infra.resources.told import told

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
    stops before it deletes a ledger that still says which event started which run. Everything waits for the
    services, and they for the stack's origin: none is touched where the stack file names another project.
    """

    def __init__(self, settings: StackSettings) -> None:
        super().__init__("event-triggered-pipelines:index:Foundation", "foundation")
        self._child = pulumi.ResourceOptions(parent=self)
        self.settings = settings
        self.origin = Origin(settings)
        self.labels = {"stack": settings.stack}
        self._grants: dict[str, Grant] = {}
        self._roles: dict[str, gcp.projects.IAMCustomRole] = {}
        self.services = [
            gcp.projects.Service(
                name,
                project=self.origin.project,
                service=f"{name}.googleapis.com",
                disable_on_destroy=False,
                opts=self._child,
            )
            for name in services_of(settings)
        ]
        self._after_services = pulumi.ResourceOptions(parent=self, depends_on=self.services)
        self.storage_agent = self._storage_agent()
        self.pubsub_agent = self._agent("pubsub")
        self.new_build_grants = NewGrants()
        self.sources = self._bucket("launcher-sources", self._after_services)
        self.ledger = self._ledger()
        self.build_account, self.repository, self.ready_to_build = self._build()
        self.register_outputs({})

    def account(self, name: str, description: str, parent: pulumi.Resource) -> gcp.serviceaccount.Account:
        """Makes a service account called ``stack-name``, with a hash where that is too long or could be another's."""
        return gcp.serviceaccount.Account(
            name,
            project=self.settings.project,
            account_id=_account_id(self.settings.stack, name),
            display_name=f"{self.settings.stack} {name}",
            description=description,
            # Of a renamed stack: the new one is there, and is let in, before the old one goes.
            opts=pulumi.ResourceOptions(parent=parent, depends_on=self.services, delete_before_replace=False),
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
                opts=pulumi.ResourceOptions.merge(
                    self._after_services, pulumi.ResourceOptions(delete_before_replace=False)
                ),
            )
        return role

    def compute_account(self) -> pulumi.Output[str]:
        """The Compute Engine default account's address."""
        return pulumi.Output.concat(self._project_number, "-compute@developer.gserviceaccount.com")

    @cached_property
    def scheduler_agent(self) -> Principal:
        """Cloud Scheduler's agent, for stacks that have a schedule."""
        return self._agent("cloudscheduler")

    def _with_services(self, value: pulumi.Input[str]) -> pulumi.Output[str]:
        """A value, once the services are enabled: what a function of the provider is given, and what it answers.

        What it is given, so that it waits. What it answers too: in a first preview, where it cannot be asked, the
        SDK forgets what it was given depends on, and a saved plan would be refused half-way for what an `up` adds.
        """
        return pulumi.Output.all(value, *(service.id for service in self.services)).apply(lambda values: values[0])

    @cached_property
    def _project_number(self) -> pulumi.Output[str]:
        project = gcp.organizations.get_project_output(project_id=self._with_services(self.settings.project))
        return told(f"the number of project {self.settings.project}", self._with_services(project.number))

    def _storage_agent(self) -> Principal:
        """Cloud Storage's agent. Asking for it is what makes it exist, so its address is not computed."""
        agent = gcp.storage.get_project_service_account_output(
            project=self._with_services(self.settings.project), opts=pulumi.InvokeOutputOptions(parent=self)
        )
        return grants.account("storage-agent", self._with_services(agent.email_address))

    def _agent(self, service: str) -> Principal:
        """A service's agent, made to exist: enabling the API does not, and waiting never helps (pulumi-gcp#1290)."""
        agent = gcp.projects.ServiceIdentity(
            f"{service}-agent",
            project=self.settings.project,
            service=f"{service}.googleapis.com",
            opts=self._after_services,
        )
        return grants.account(f"{service}-agent", agent.email)

    def _ledger(self) -> gcp.storage.Bucket:
        """The ledger stays where it was made: in another region it would be another bucket, and empty."""
        forget = gcp.storage.BucketLifecycleRuleArgs(
            action=gcp.storage.BucketLifecycleRuleActionArgs(type="Delete"),
            condition=gcp.storage.BucketLifecycleRuleConditionArgs(age=self.settings.ledger_days),
        )
        stay = pulumi.ResourceOptions(ignore_changes=["location"])
        return self._bucket("launch-ledger", pulumi.ResourceOptions.merge(self._after_services, stay), [forget])

    def _bucket(
        self,
        name: str,
        opts: pulumi.ResourceOptions,
        lifecycle_rules: list[gcp.storage.BucketLifecycleRuleArgs] | None = None,
    ) -> gcp.storage.Bucket:
        return gcp.storage.Bucket(
            name,
            project=self.settings.project,
            location=self.settings.region,
            uniform_bucket_level_access=True,
            public_access_prevention="enforced",
            lifecycle_rules=lifecycle_rules,
            labels=self.labels,
            opts=opts,
        )

    def _build(self) -> tuple[gcp.serviceaccount.Account, gcp.artifactregistry.Repository, list[Grant]]:
        """The identity that builds functions. The default one has no roles in new organisations, and builds fail.

        Its own repository keeps the right to push images to that repository. Sources are copied by Cloud
        Functions into a bucket that exists only after the first deployment, hence a condition on its name.
        """
        build = self.account("build", "Builds the launchers' images; runs nothing", self)
        repository = gcp.artifactregistry.Repository(
            "launchers",
            project=self.settings.project,
            repository_id=f"{self.settings.stack}-launchers",
            location=self.settings.region,
            format="DOCKER",
            description="Images of the launchers, built by Cloud Functions",
            labels=self.labels,
            opts=pulumi.ResourceOptions.merge(
                self._after_services, pulumi.ResourceOptions(delete_before_replace=False)
            ),
        )
        principal = grants.account("build", build.email)
        copies = pulumi.Output.concat("gcf-v2-sources-", self._project_number, "-", self.settings.region)
        project = grants.on_project(self.settings.project)
        given = [
            Grant(
                "roles/logging.logWriter",
                on=project,
                to=principal,
                reason="Cloud Build writes the build's log; logs have no narrower resource",
                parent=self,
                hooks=self.new_build_grants.noting,
            ),
            Grant(
                "roles/artifactregistry.writer",
                on=grants.on_repository("launchers", repository),
                to=principal,
                reason="Cloud Build pushes the launchers' images",
                parent=self,
                hooks=self.new_build_grants.noting,
            ),
            Grant(
                "roles/storage.objectViewer",
                on=project,
                to=principal,
                reason="Cloud Build reads the copy of the source that Cloud Functions makes in its own bucket",
                condition={
                    "title": "Sources of Cloud Functions",
                    "expression": pulumi.Output.concat(
                        'resource.name.startsWith("projects/_/buckets/', copies, '/")'
                    ),
                },
                parent=self,
                hooks=self.new_build_grants.noting,
            ),
        ]
        return build, repository, given


def _account_id(stack: str, name: str) -> str:
    """``stack-name``. Where that could be another stack's as well (echo-x in dev, x in dev-echo), that of the stack
    with a dash has a hash of both parts in it, as has what would be too long.
    """
    account_id = f"{stack}-{name}"
    ambiguous = "-" in stack and "-" in name
    if len(account_id) <= LONGEST_ACCOUNT_ID and not ambiguous:
        return account_id
    hashed = f"{stack}/{name}" if ambiguous else account_id
    return f"{account_id[:23].rstrip('-')}-{hashlib.sha256(hashed.encode()).hexdigest()[:6]}"
