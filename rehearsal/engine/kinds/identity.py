"""Service accounts, agents of services, custom roles, and the services themselves."""

from __future__ import annotations

import time
from typing import Any

from rehearsal.engine.cloud import Cloud, Thing
from rehearsal.engine.kinds.kind import Kind, properties
from rehearsal.engine.values import Values
from rehearsal.program import PROJECT_NUMBER


class Service(Kind):
    """A service, enabled. It stays enabled unless its resource says otherwise."""

    type = "gcp:projects/service:Service"
    required = properties("service")
    optional = properties(
        "checkIfServiceHasUsageOnDestroy deletionPolicy disableDependentServices disableOnDestroy project"
    )
    replaces = properties("service project")
    path = "{project}/{service}"
    permissions = {  # noqa: RUF012 a table
        "create": ("serviceusage.services.enable", "serviceusage.operations.get", "serviceusage.services.list"),
        "read": ("serviceusage.services.list",),
    }

    def create(self, cloud: Cloud, inputs: Values) -> Thing:
        """Enables it, or finds that it is."""
        self.may(cloud, inputs, "create")
        cloud.fail(self.type, "create")
        cloud.services.setdefault((inputs["project"], inputs["service"]), time.monotonic())
        made = Thing(self.type, self.identify(inputs), dict(inputs), {}, time.monotonic())
        return cloud.things.setdefault(made.id, made)

    def delete(self, cloud: Cloud, thing_id: str, inputs: Values) -> None:
        """Leaves it enabled, as it was told to."""
        assert inputs.get("disableOnDestroy") is False, "nobody has said how a service is disabled"  # noqa: S101 a defect of ours


class ServiceIdentity(Kind):
    """A service's agent, made to exist. It cannot be taken away again."""

    type = "gcp:projects/serviceIdentity:ServiceIdentity"
    required = properties("service")
    optional = properties("project")
    replaces = required | optional
    computed = ("email", "member")
    path = "projects/{project}/services/{service}"
    permissions = {"create": ("resourcemanager.projects.get",)}  # noqa: RUF012 a table

    def create(self, cloud: Cloud, inputs: Values) -> Thing:
        """Makes the agent exist."""
        self.may(cloud, inputs, "create")
        cloud.need_service(inputs["project"], inputs["service"].removesuffix(".googleapis.com"))
        cloud.fail(self.type, "create")
        service = inputs["service"].removesuffix(".googleapis.com")
        email = f"service-{PROJECT_NUMBER}@gcp-sa-{service}.iam.gserviceaccount.com"
        cloud.accounts.setdefault(email, time.monotonic())
        computed = {"email": email, "member": f"serviceAccount:{email}"}
        made = Thing(self.type, self.identify(inputs), dict(inputs), computed, time.monotonic())
        return cloud.things.setdefault(made.id, made)

    def delete(self, cloud: Cloud, thing_id: str, inputs: Values) -> None:
        """Leaves it."""


class Account(Kind):
    """A service account. Its name is the stack's, so one that is there already is refused."""

    type = "gcp:serviceaccount/account:Account"
    required = properties("accountId")
    optional = properties("createIgnoreAlreadyExists deletionPolicy description disabled displayName project")
    replaces = properties("accountId project")
    autoname = "accountId"
    computed = ("email", "member", "name", "uniqueId")
    service = "iam"
    prefix = "iam.serviceAccounts"
    path = "projects/{project}/serviceAccounts/{accountId}@{project}.iam.gserviceaccount.com"

    def create(self, cloud: Cloud, inputs: Values) -> Thing:
        """Makes one, or takes over whatever has the name where it was told to."""
        if inputs.get("createIgnoreAlreadyExists") and self.identify(inputs) in cloud.things:
            return cloud.things[self.identify(inputs)]
        return super().create(cloud, inputs)

    def compute(self, cloud: Cloud, inputs: Values) -> dict[str, Any]:
        """Its address, which is not known everywhere at once."""
        name = self.identify(inputs)
        email = name.rsplit("/", 1)[-1]
        if name not in cloud.things:
            cloud.accounts[email] = time.monotonic()
        return {"name": name, "email": email, "member": f"serviceAccount:{email}", "uniqueId": str(abs(hash(email)))}

    def delete(self, cloud: Cloud, thing_id: str, inputs: Values) -> None:
        """Takes its address away too."""
        super().delete(cloud, thing_id, inputs)
        cloud.accounts.pop(thing_id.rsplit("/", 1)[-1], None)


class CustomRole(Kind):
    """A role. A deleted one keeps its name for a while, and is taken back by the next that wants it."""

    type = "gcp:projects/iAMCustomRole:IAMCustomRole"
    required = properties("permissions roleId title")
    optional = properties("deletionPolicy description project stage")
    replaces = properties("roleId project")
    autoname = "roleId"
    defaults = {"stage": "GA"}  # noqa: RUF012 a table
    computed = ("deleted", "name")
    service = "iam"
    prefix = "iam.roles"
    path = "projects/{project}/roles/{roleId}"

    def create(self, cloud: Cloud, inputs: Values) -> Thing:
        """Makes it, or takes it back."""
        name = self.identify(inputs)
        if name in cloud.deleted_roles:
            cloud.need(inputs["project"], "iam.roles.undelete", "iam.roles.update")
            cloud.deleted_roles.discard(name)
        return super().create(cloud, inputs)

    def compute(self, cloud: Cloud, inputs: Values) -> dict[str, Any]:
        """Its full name."""
        return {"name": self.identify(inputs), "deleted": False}

    def delete(self, cloud: Cloud, thing_id: str, inputs: Values) -> None:
        """Keeps the name."""
        super().delete(cloud, thing_id, inputs)
        cloud.deleted_roles.add(thing_id)
