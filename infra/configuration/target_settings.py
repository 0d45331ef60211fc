"""Where a trigger's runs are started, as it stands in a stack file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from function_src.launcher.origin import is_hosted, read_endpoint
from infra.configuration import place_rules, rules
from infra.configuration.model import Model

EndpointAccess = Literal["viewer", "project-viewer", "service-account-user", "iap", "none"]
HOSTED_ONLY = ("viewer", "project-viewer", "service-account-user")
Account = Annotated[str, AfterValidator(rules.service_account)]


class Workflows(Model):
    """Where the workflows of a Kubeflow Pipelines installation are, for launchers that may look."""

    endpoint: Annotated[
        str,
        AfterValidator(rules.cluster_endpoint),
        Field(
            description="the DNS-based endpoint of the cluster's control plane: `gcloud container clusters describe "
            'CLUSTER --format="value(controlPlaneEndpointsConfig.dnsEndpointConfig.endpoint)"`',
            examples=["https://gke-0123456789abcdef-123456789012.us-central1.gke.goog"],
        ),
    ]
    namespace: Annotated[
        Annotated[str, AfterValidator(rules.namespace)] | None,
        Field(
            description="where the workflows are; the target's `namespace` if left out, and else `kubeflow`",
            examples=["kubeflow"],
        ),
    ] = None
    project: Annotated[
        Annotated[str, AfterValidator(rules.project_id)] | None,
        Field(description="where the cluster is; the stack's project if left out", examples=["acme-gke"]),
    ] = None


class KfpTarget(Model):
    """A Kubeflow Pipelines endpoint, and how the launcher's identity is let in."""

    kind: Annotated[Literal["kfp"], Field(description="Kubeflow Pipelines")]
    host: Annotated[
        str,
        AfterValidator(read_endpoint),
        Field(
            description="the endpoint, `https://HOST`; of a whole Kubeflow `https://HOST/pipeline`",
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
    audience: Annotated[
        Annotated[str, AfterValidator(rules.audience)] | None,
        Field(
            description="whom ID tokens are for: with `access: iap` the id of that service's OAuth client; with "
            "`access: none` what oauth2-proxy or Istio takes Google's ID tokens for",
            examples=["123-abc.apps.googleusercontent.com"],
        ),
    ] = None
    impersonate: Annotated[
        Account | None,
        Field(
            description="a service account that the launcher shows itself as; the access is granted to it, and the"
            " launcher may make tokens of it and of no other",
            examples=["pipelines@acme-ml.iam.gserviceaccount.com"],
        ),
    ] = None
    namespace: Annotated[
        Annotated[str, AfterValidator(rules.namespace)] | None,
        Field(description="whose experiments: at installations for several users", examples=["team-orders"]),
    ] = None
    pipeline_root: Annotated[
        Annotated[str, AfterValidator(rules.pipeline_root)] | None,
        Field(
            description="where runs put their output, `gs://`, `s3://` or `minio://` and never the trigger bucket;"
            " the installation's own place if left out",
            examples=["gs://acme-ml-runs/orders"],
        ),
    ] = None
    service_account: Annotated[
        Annotated[str, AfterValidator(rules.kubernetes_account)] | None,
        Field(
            description="the Kubernetes service account that the steps run as; the installation's own if left out",
            examples=["pipeline-runner"],
        ),
    ] = None
    database: Annotated[
        Literal["utf8mb4"] | None,
        Field(
            description="`utf8mb4` where the server's connection to its database has that character set, as a stock "
            "one has not; only then may parameters hold letters beyond U+FFFF, such as emoji, see "
            "[Parameters](#parameters)",
            examples=["utf8mb4"],
        ),
    ] = None
    client_qps: Annotated[
        int,
        Field(
            ge=1,
            le=1000,
            description="how many workflows a second the server creates: `CLIENTQPS` of its `ml-pipeline`, if that "
            "was raised, or a part of it where stacks share the endpoint, see [scale.md](scale.md)",
            examples=[50],
        ),
    ] = 5
    runs_retention_days: Annotated[
        int | None,
        Field(
            ge=1,
            description="after how many days the server deletes a run (`ARCHIVED_RUNS_RETENTION_TIME`): of an older "
            "event it cannot tell whether it was launched; never, if left out",
            examples=[30],
        ),
    ] = None
    enable_caching: Annotated[
        bool | None,
        Field(
            description="whether finished steps are reused, for every step outside loops and conditions, as "
            "`kfp.Client` sets it; as compiled if left out",
            examples=[False],
        ),
    ] = None
    fence: Annotated[
        bool,
        Field(
            description="whether each run begins with a task that lets one workflow of its event pass, for endpoints "
            "that may start a second one; it costs the start of a pod, see "
            "[guarantees.md](guarantees.md#a-fence-in-the-run)",
            examples=[True],
        ),
    ] = False
    runner: Annotated[
        Account | None,
        Field(
            description="the service account of Google Cloud that the steps run as, for `fence`: it may create, and "
            "read again, what the ledger has under `started/`",
            examples=["pipeline-runner@acme-gke.iam.gserviceaccount.com"],
        ),
    ] = None
    workflows: Annotated[
        Workflows | None,
        Field(
            description="where the launcher looks, before it sends a second POST, for a workflow that no run shows, "
            "see [guarantees.md](guarantees.md#a-look-into-the-cluster)",
            examples=[{"endpoint": "https://gke-0123456789abcdef-123456789012.us-central1.gke.goog"}],
        ),
    ] = None

    @property
    def services(self) -> tuple[str, ...]:
        """The services that reaching it takes."""
        return (*(["iap"] if self.access == "iap" else []), *(["iamcredentials"] if self.impersonate else []))

    @property
    def accounts(self) -> dict[str, str]:
        """The service accounts that the launcher acts as, or that are granted something, by key."""
        accounts = {"target.impersonate": self.impersonate, "target.runner": self.runner}
        return {key: account for key, account in accounts.items() if account}

    @property
    def credentials(self) -> str:
        """What the launcher sends: an access token to hosted endpoints and to no other, an ID token to audiences."""
        return "id-token" if self.audience else "access-token" if is_hosted(self.host) else "none"

    @model_validator(mode="after")
    def _access_fits_host(self) -> KfpTarget:
        if self.access in HOSTED_ONLY and not is_hosted(self.host):
            raise ValueError(
                f"access {self.access!r} opens hosted endpoints (*.pipelines.googleusercontent.com) only, and "
                f"{self.host} is none; use access: iap or access: none"
            )
        if (self.access == "iap") != (self.iap_backend_service is not None):
            raise ValueError(
                "access: iap and iap_backend_service go together; set iap_backend_service to the name from "
                "`gcloud compute backend-services list`, or choose another access"
            )
        if self.access == "iap" and not (self.audience and rules.is_oauth_client(self.audience)):
            raise ValueError(
                "access: iap goes with the audience of the backend service; set audience to the id of its OAuth "
                "client, as in 123-abc.apps.googleusercontent.com"
            )
        if self.audience and is_hosted(self.host):
            raise ValueError(f"{self.host} takes access tokens, and audience is for ID tokens; leave it out")
        if self.namespace and self.credentials == "none":
            raise ValueError(
                f"an installation with a namespace for each user asks whose a request is, and {self.host} is told "
                "nothing: sessions of Dex and oauth2-proxy are for people. Use access: iap; or set audience to what "
                "oauth2-proxy or Istio takes Google's ID tokens for"
            )
        if self.impersonate and self.credentials == "none":
            raise ValueError(f"impersonate changes whose token is sent, and {self.host} is sent none; leave it out")
        return self

    @model_validator(mode="after")
    def _fence_knows_whom_to_let_in(self) -> KfpTarget:
        if self.fence and self.runner is None:
            raise ValueError(
                "fence: true needs runner; set it to the service account of Google Cloud that the steps run as: the "
                "one bound to their Kubernetes service account, or that of the nodes"
            )
        if self.runner is not None and not self.fence:
            raise ValueError("runner is for the fence; set fence: true, or leave runner out")
        return self


class VertexTarget(Model):
    """Vertex AI Pipelines. The stack's project and region apply where `project` and `location` are not set."""

    kind: Annotated[Literal["vertex"], Field(description="Vertex AI Pipelines")]
    pipeline_root: Annotated[
        Annotated[str, AfterValidator(rules.gcs_root)],
        Field(
            description="where jobs put their output, `gs://BUCKET/...`; never in the trigger bucket",
            examples=["gs://acme-ml-runs/orders"],
        ),
    ]
    service_account: Annotated[
        Account,
        Field(
            description="the account that the jobs run as, of the team whose pipeline it is; it needs "
            "`roles/aiplatform.user` and write access to `pipeline_root`, which this stack does not "
            "grant",
            examples=["runner@acme-ml.iam.gserviceaccount.com"],
        ),
    ]
    project: Annotated[
        Annotated[str, AfterValidator(rules.project_id)] | None,
        Field(description="where the jobs are; the stack's project if left out", examples=["acme-ml-prod"]),
    ] = None
    location: Annotated[
        Annotated[str, AfterValidator(place_rules.vertex_location)] | None,
        Field(description="the region that they run in; the stack's if left out", examples=["us-central1"]),
    ] = None
    labels: Annotated[
        Annotated[Mapping[str, str], AfterValidator(rules.job_labels)],
        Field(
            description="labels of the jobs, beside `stack`, `trigger`, `launch-key` and `package`",
            examples=[{"team": "orders"}],
        ),
    ] = Field(default_factory=dict)
    network: Annotated[
        Annotated[str, AfterValidator(rules.peered_network)] | None,
        Field(
            description="a VPC peered with Vertex AI: `projects/PROJECT_NUMBER/global/networks/NAME`",
            examples=["projects/123456789012/global/networks/ml"],
        ),
    ] = None
    cmek_key: Annotated[
        Annotated[str, AfterValidator(rules.cmek_key)] | None,
        Field(
            description="the Cloud KMS key that jobs are encrypted with; Vertex AI's service agent must be allowed"
            " to use it",
            examples=["projects/acme-kms/locations/us-central1/keyRings/ml/cryptoKeys/runs"],
        ),
    ] = None
    api_endpoint: Annotated[
        Annotated[str, AfterValidator(rules.google_api)] | None,
        Field(
            description="another host of the API than `https://LOCATION-aiplatform.googleapis.com`, such as a "
            "private one; it must end in `.googleapis.com`",
            examples=["https://us-central1-aiplatform.p.googleapis.com"],
        ),
    ] = None

    @property
    def services(self) -> tuple[str, ...]:
        """The services that starting jobs takes."""
        return ("aiplatform",)

    @property
    def accounts(self) -> dict[str, str]:
        """The service accounts that the launcher acts as, by key."""
        return {"target.service_account": self.service_account}


Target = Annotated[KfpTarget | VertexTarget, Field(discriminator="kind")]
