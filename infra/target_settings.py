"""Where a trigger's runs are started, as it stands in a stack file."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from infra import rules
from infra.model import Model

EndpointAccess = Literal["viewer", "project-viewer", "service-account-user", "iap", "none"]
HOSTED_ONLY = ("viewer", "project-viewer", "service-account-user")


class KfpTarget(Model):
    """A Kubeflow Pipelines endpoint, and how the launcher's identity is let in."""

    kind: Annotated[Literal["kfp"], Field(description="Kubeflow Pipelines")]
    host: Annotated[
        str,
        AfterValidator(rules.endpoint_host),
        Field(
            description="the endpoint, `https://HOST`",
            examples=["https://1234abcd-dot-us-central1.pipelines.googleusercontent.com"],
        ),
    ]
    experiment: Annotated[
        str, AfterValidator(rules.experiment_name), Field(description="the experiment, found or created by name")
    ] = "event-triggered"
    access: Annotated[EndpointAccess, Field(description="what the launcher's identity is granted, see below")] = (
        "service-account-user"
    )
    installation_service_account: Annotated[
        Annotated[str, AfterValidator(rules.service_account)] | None,
        Field(
            description="the account that the Pipelines installation runs as; the Compute Engine default account if "
            "left out",
            examples=["kfp-nodes@acme-gke.iam.gserviceaccount.com"],
        ),
    ] = None
    iap_backend_service: Annotated[
        Annotated[str, AfterValidator(rules.backend_service)] | None,
        Field(description="the (global) backend service, for `access: iap`", examples=["kfp-backend"]),
    ] = None

    @model_validator(mode="after")
    def _access_fits_host(self) -> KfpTarget:
        if self.access in HOSTED_ONLY and not rules.is_hosted(self.host):
            raise ValueError(
                f"access {self.access!r} opens hosted endpoints (*.pipelines.googleusercontent.com) only, and "
                f"{self.host} is none; use access: iap or access: none"
            )
        if (self.access == "iap") != (self.iap_backend_service is not None):
            raise ValueError(
                "access: iap and iap_backend_service go together; set iap_backend_service to the name from "
                "`gcloud compute backend-services list`, or choose another access"
            )
        return self
