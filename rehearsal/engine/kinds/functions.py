"""Cloud Functions, 2nd generation: what is built, and what serves.

A function whose first build fails is there, without a Cloud Run service and so without an address. One whose later
build fails goes on serving the old code; what was asked of it is what it says of itself.
"""

from __future__ import annotations

import time
from typing import Any

from rehearsal.engine.cloud import Cloud, CloudError, HalfMadeError, Thing
from rehearsal.engine.kinds.kind import LABELS, Kind, properties
from rehearsal.engine.values import UNKNOWN, Values, differences

BUILD_FAILED = (
    "Error waiting to {verb} function: Error waiting for {verb} function: Error code 3, message: Build failed with "
    "status: FAILURE. Could not build the function due to a missing permission on the build service account. If you "
    "didn't revoke that permission explicitly, this could be caused by a change in the organization policies."
)
NEEDED = ("roles/logging.logWriter", "roles/storage.objectViewer")


class Function(Kind):
    """A function."""

    type = "gcp:cloudfunctionsv2/function:Function"
    required = properties("location name")
    optional = properties(
        "buildConfig deletionPolicy description eventTrigger kmsKeyName labels project serviceConfig"
    )
    replaces = properties("name location project")
    autoname = "name"
    computed = ("environment", "state", "updateTime", "url", *LABELS)
    service = "cloudfunctions"
    prefix = "cloudfunctions.functions"
    path = "projects/{project}/locations/{location}/functions/{name}"
    permissions = {  # noqa: RUF012 a table
        "create": (f"{prefix}.create", f"{prefix}.get", "cloudfunctions.operations.get", "iam.serviceAccounts.actAs"),
        "update": (f"{prefix}.update", f"{prefix}.get", "cloudfunctions.operations.get", "iam.serviceAccounts.actAs"),
        "delete": (f"{prefix}.delete", f"{prefix}.get", "cloudfunctions.operations.get"),
    }

    def refer(self, cloud: Cloud, inputs: Values) -> None:
        """Source, repository and accounts must be there."""
        build, source = inputs["buildConfig"], inputs["buildConfig"]["source"]["storageSource"]
        generation = cloud.objects.get(source["bucket"], {}).get(source["object"])
        if generation is None or source.get("generation") not in (None, generation):
            raise CloudError(f"googleapi: Error 400: Cannot find the object {source['object']}., badRequest")
        if build["dockerRepository"] not in cloud.things:
            raise CloudError(f"googleapi: Error 400: Unable to find {build['dockerRepository']}., badRequest")
        for email in (build["serviceAccount"].rsplit("/", 1)[-1], inputs["serviceConfig"]["serviceAccountEmail"]):
            cloud.need_account(
                email, "googleapi: Error 404: Service account projects/-/serviceAccounts/{email} was not found."
            )

    def unknowns(self, inputs: Values) -> dict[str, Any]:
        """Its address is unknown, and its service's name."""
        return super().unknowns(inputs) | {
            "serviceConfig": {**inputs["serviceConfig"], "uri": UNKNOWN, "service": UNKNOWN}
        }

    def create(self, cloud: Cloud, inputs: Values) -> Thing:
        """Makes it, then builds it."""
        for service in ("cloudbuild", "run", "artifactregistry"):
            cloud.need_service(inputs["project"], service)
        try:
            made = super().create(cloud, inputs)
            self._build(cloud, inputs, "create")
        except HalfMadeError:
            cloud.things[self.identify(inputs)].computed |= {"state": "FAILED"}
            raise
        self._serve(cloud, made)
        return made

    def compute(self, cloud: Cloud, inputs: Values) -> dict[str, Any]:
        """What it is before it serves."""
        address = f"https://{inputs['location']}-{inputs['project']}.cloudfunctions.net/{inputs['name']}"
        return {
            "environment": "GEN_2",
            "state": "DEPLOYING",
            "url": address,
            "serviceConfig": {**inputs["serviceConfig"], "uri": ""},
        }

    def update(self, cloud: Cloud, thing_id: str, inputs: Values) -> Thing:
        """Sends what differs from what it says of itself; where nothing does, only looks at it."""
        thing = self.there(cloud, thing_id)
        if not [*differences(thing.inputs, inputs)]:
            cloud.need(inputs["project"], f"{self.prefix}.get")
            return thing
        before = thing.inputs["buildConfig"]["source"]["storageSource"]
        sent = dict(inputs["buildConfig"]["source"]["storageSource"])
        # The provider knows the generation of what it built last, and sends that where none is given.
        sent.setdefault("generation", before.get("generation") or thing.computed.get("generation"))
        cloud.patches.append(sent)
        super().update(cloud, thing_id, inputs)
        thing.computed["serviceConfig"] = {**inputs["serviceConfig"], **_served(thing)}
        self._build(cloud, inputs, "update")
        self._serve(cloud, thing)
        return thing

    def delete(self, cloud: Cloud, thing_id: str, inputs: Values) -> None:
        """Takes its Cloud Run service with it, and who may call that."""
        super().delete(cloud, thing_id, inputs)
        service = thing_id.replace("/functions/", "/services/")
        cloud.running.pop(service, None)
        cloud.policies.pop(service, None)

    def _build(self, cloud: Cloud, inputs: Values, verb: str) -> None:
        """Fails as long as the build's grants are not known everywhere, whoever waits."""
        build = inputs["buildConfig"]
        email, scope = build["serviceAccount"].rsplit("/", 1)[-1], f"projects/{inputs['project']}"
        may = [cloud.holds(email, role, scope) for role in NEEDED]
        if not all([*may, cloud.holds(email, "roles/artifactregistry.writer", build["dockerRepository"])]):
            raise HalfMadeError(BUILD_FAILED.format(verb=verb))

    def read(self, cloud: Cloud, thing_id: str, inputs: Values) -> Thing | None:
        """As it is, with the subnetwork that Google Cloud fills in where a network is named alone."""
        found = super().read(cloud, thing_id, inputs)
        for interface in found.inputs["serviceConfig"].get("directVpcNetworkInterfaces", []) if found else []:
            interface.setdefault("subnetwork", interface["network"])
        return found

    def _serve(self, cloud: Cloud, thing: Thing) -> None:
        source = thing.inputs["buildConfig"]["source"]["storageSource"]
        cloud.running[thing.id.replace("/functions/", "/services/")] = source["object"]
        name = thing.inputs["name"]
        thing.computed |= {
            "state": "ACTIVE",
            "updateTime": str(time.time()),
            "generation": cloud.objects[source["bucket"]][source["object"]],
            "serviceConfig": {
                **thing.inputs["serviceConfig"],
                "uri": f"https://{name}-abcdefghij-uc.a.run.app",
                "service": f"projects/{thing.inputs['project']}/locations/{thing.inputs['location']}/services/{name}",
            },
        }


def _served(thing: Thing) -> dict[str, Any]:
    """What of a service is Google Cloud's."""
    return {key: value for key, value in thing.computed["serviceConfig"].items() if key in ("uri", "service")}
