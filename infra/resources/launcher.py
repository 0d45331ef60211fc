"""The launcher: a private Cloud Function, its identity and the archive that it is built from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pulumi
import pulumi_gcp as gcp

from infra.configuration.function_settings import FunctionSettings
from infra.configuration.settings import TriggerSettings
from infra.package.packaging import Archive
from infra.resources import grants
from infra.resources.foundation import Foundation
from infra.resources.told import untold

# Byte code that is compiled where this is set is believed for what its source says, not for when that was written
# (PEP 552, py_compile). The function's is compiled in its build (buildpacks: cmd/python/functions_framework), and the
# image gives every file this time (buildpacks/lifecycle: archive/writer.go): without it Python would compile the
# launcher anew at each cold start.
BUILD = {"SOURCE_DATE_EPOCH": "315532801"}
EGRESS = {"private-ranges-only": "VPC_EGRESS_PRIVATE_RANGES_ONLY", "all-traffic": "VPC_EGRESS_ALL_TRAFFIC"}


class Launcher(pulumi.ComponentResource):
    """A gen2 function that Pub/Sub alone may call, from inside Google's network alone.

    Runtime and build identity are named outright: gen2 would take the Compute Engine default account for both,
    and a grant to the App Engine account would then be decoration (functions/docs/securing/function-identity).
    """

    def __init__(
        self,
        settings: TriggerSettings,
        archive: Archive,
        configuration: Mapping[str, Any],
        foundation: Foundation,
        labels: dict[str, str],
        parent: pulumi.Resource,
    ) -> None:
        name = f"{settings.name}-launcher"
        super().__init__(
            "event-triggered-pipelines:index:Launcher", name, None, pulumi.ResourceOptions(parent=parent)
        )
        self.email = self._identity(settings, foundation)
        self.principal = grants.account(name if settings.identity == "dedicated" else settings.identity, self.email)
        source = gcp.storage.BucketObject(
            f"{name}-source",
            bucket=foundation.sources.name,
            name=f"{settings.name}/{archive.name}",
            source=_asset(archive),
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.function = gcp.cloudfunctionsv2.Function(
            name,
            project=foundation.settings.project,
            location=foundation.settings.region,
            description=f"Launcher of trigger {settings.name}: starts runs of {settings.pipeline}",
            build_config=gcp.cloudfunctionsv2.FunctionBuildConfigArgs(
                runtime=settings.function.runtime,
                entry_point="launch",
                service_account=foundation.build_account.name,
                docker_repository=foundation.repository.id,
                environment_variables=BUILD,
                source=gcp.cloudfunctionsv2.FunctionBuildConfigSourceArgs(
                    storage_source=gcp.cloudfunctionsv2.FunctionBuildConfigSourceStorageSourceArgs(
                        bucket=foundation.sources.name,
                        object=source.name,
                        # Else an update sends the generation of the object that it replaces.
                        generation=source.generation,
                    )
                ),
            ),
            service_config=gcp.cloudfunctionsv2.FunctionServiceConfigArgs(
                service_account_email=self.email,
                ingress_settings="ALLOW_INTERNAL_ONLY",
                available_memory=settings.function.memory,
                available_cpu=settings.function.cpu,
                timeout_seconds=settings.function.timeout_seconds,
                max_instance_request_concurrency=settings.function.concurrency,
                max_instance_count=settings.function.max_instances,
                **_way_out(settings.function),
                environment_variables={
                    "TRIGGER": pulumi.Output.json_dumps(configuration, sort_keys=True),
                    # functions-framework would serve four deliveries per processor, whatever the concurrency.
                    "THREADS": str(settings.function.concurrency),
                },
            ),
            labels=labels,
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=foundation.ready_to_build,
                # Of a build that failed, the provider keeps what was asked for as if it ran: only a new function,
                # which the next deployment makes, is known to run it.
                replace_on_changes=["#initerror"],
                hooks=foundation.new_build_grants.waiting,
            ),
        )
        uri = self.function.service_config.apply(lambda service: service and service.uri)
        made = pulumi.Output.all(self.function.urn, self.function.state, uri)
        self.endpoint = made.apply(lambda values: _endpoint(name, *values))
        self.register_outputs({})

    def _identity(self, settings: TriggerSettings, foundation: Foundation) -> pulumi.Output[str]:
        if settings.identity == "dedicated":
            description = f"Starts the runs of trigger {settings.name}"
            return foundation.account(f"{settings.name}-launcher", description, self).email
        given = foundation.settings.app_engine_account if settings.identity == "app-engine" else settings.identity
        return pulumi.Output.from_input(given)


def _way_out(settings: FunctionSettings) -> dict[str, Any]:
    """Direct VPC egress, which needs no connector; nothing where the launcher stays outside.

    A subnetwork that is left out, Google Cloud fills in as here; left to it, each preview would show a difference.
    """
    if not settings.in_vpc:
        return {}
    interface = gcp.cloudfunctionsv2.FunctionServiceConfigDirectVpcNetworkInterfaceArgs(
        network=settings.network, subnetwork=settings.subnetwork or settings.network
    )
    return {"direct_vpc_network_interfaces": [interface], "direct_vpc_egress": EGRESS[settings.egress]}


def _endpoint(name: str, urn: str, state: str | None, uri: str | None) -> str:
    """Where the function is called, unless Google Cloud says that it does not run, or not where."""
    if state == "ACTIVE" and uri:
        return uri
    return untold(
        f"where function {name} is called, and says that it is {state or 'in no state'}",
        f"build it anew with `pulumi up --replace '{urn}'`",
    )


def _asset(archive: Archive) -> pulumi.AssetArchive:
    """The archive, file by file: the engine zips it with fixed times, and compares it by content alone."""
    files: dict[str, pulumi.Asset | pulumi.Archive] = {
        name: pulumi.FileAsset(str(path)) for name, path in archive.files.items()
    }
    return pulumi.AssetArchive({**files, **{name: pulumi.StringAsset(text) for name, text in archive.texts.items()}})
