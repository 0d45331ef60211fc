"""Where a trigger's runs are started, as it stands in a stack file."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, model_validator

from infra import rules
from infra.model import Model

EndpointAccess = Literal["viewer", "project-viewer", "service-account-user", "iap", "none"]
HOSTED_ONLY = ("viewer", "project-viewer", "service-account-user")


class KfpTarget(Model):
    """A Kubeflow Pipelines endpoint, and how the launcher's identity is let in."""

    kind: Literal["kfp"]
    host: Annotated[str, AfterValidator(rules.endpoint_host)]
    experiment: Annotated[str, AfterValidator(rules.experiment_name)] = "event-triggered"
    access: EndpointAccess = "service-account-user"
    installation_service_account: Annotated[str, AfterValidator(rules.service_account)] | None = None
    iap_backend_service: Annotated[str, AfterValidator(rules.backend_service)] | None = None

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
