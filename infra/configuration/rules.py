"""What Google Cloud and KFP accept as names, places and hosts: one function each, saying what to write instead.

Pure functions that return their argument or raise ValueError("problem; fix").
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from function_src.launcher.origin import read_origin

APP_ENGINE_ACCOUNT = "@appspot.gserviceaccount.com"
COMPUTE_ENGINE_ACCOUNT = "-compute@developer.gserviceaccount.com"
DEFAULT_ACCOUNTS = (APP_ENGINE_ACCOUNT, COMPUTE_ENGINE_ACCOUNT)
REGION = r"[a-z]+-[a-z]+[0-9]{1,2}"
LONGEST_TRIGGER_NAME = 30
# Memory in MiB by the least number of processors that it is for.
LOWEST_MEMORY = ((0, 128), (4, 2048), (6, 4096))
HIGHEST_MEMORY = ((0, 512), (0.5, 1024), (1, 4096), (2, 8192), (4, 16384), (6, 24576), (8, 32768))
LONGEST_NAME = 1024  # bytes of UTF-8, of an object
BUCKET = r"[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]"
PROJECT_ID = r"([a-z0-9.-]+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]"
LABEL = r"[a-z][a-z0-9_-]{0,62}"
OWN_LABELS = frozenset({"stack", "trigger", "launch-key", "package"})  # of pipeline jobs, for their lineage
GOOGLE_APIS = ".googleapis.com"
CONTROL_PLANES = ".gke.goog"


def is_default_account(identity: str) -> bool:
    """Whether an identity is the project's App Engine or Compute Engine default account."""
    return identity == "app-engine" or identity.endswith(DEFAULT_ACCOUNTS)


def stack_name(value: str) -> str:
    """A stack's name becomes a label and part of service account ids."""
    return accept(value, r"[a-z][a-z0-9-]{0,29}", "use up to 30 lower-case letters, digits and dashes, as in dev")


def trigger_name(value: str) -> str:
    """A trigger's name starts the names of its resources."""
    if value.startswith("goog"):
        raise ValueError(f"is {value!r}; Pub/Sub keeps names that start with goog for itself: choose another")
    pattern = rf"[a-z]([a-z0-9-]{{0,{LONGEST_TRIGGER_NAME - 2}}}[a-z0-9])?"
    return accept(value, pattern, "use up to 30 lower-case letters, digits and dashes, as in new-orders")


def project_id(value: str) -> str:
    """A project id, domain-scoped or not; the display name and the number are no ids."""
    return accept(value, PROJECT_ID, "use the project's id: gcloud projects list")


def object_prefix(value: str) -> str:
    """The start of object names. It is taken literally: no wildcards, no leading slash."""
    if value.startswith(("/", "gs://")):
        raise ValueError(f"is {value!r}; object names start without a slash and without gs://BUCKET/: use incoming/")
    if wildcard := re.search(r"[*?\[\]]", value):
        raise ValueError(f"is {value!r}; a prefix is taken literally, so take {wildcard[0]!r} out")
    return fits_in_a_name(value)


def fits_in_a_name(value: str) -> str:
    """Text that is no longer than the name of an object may be, and has no control characters."""
    if re.search(r"[\x00-\x1f\x7f]", value) or len(value.encode()) > LONGEST_NAME:
        raise ValueError(f"is {value[:20]!r}...; use at most {LONGEST_NAME} bytes and no control characters")
    return value


def cluster_endpoint(value: str) -> str:
    """The DNS-based endpoint of a GKE control plane. The others have a certificate of the cluster's own."""
    origin = read_origin(value)
    if not origin.endswith(CONTROL_PLANES):
        raise ValueError(f"is {value!r}; use the DNS-based endpoint of a GKE cluster, https://UID.LOCATION.gke.goog")
    return origin


def experiment_name(value: str) -> str:
    """An experiment's name. The KFP server unescapes list filters twice, so it must survive that."""
    return accept(
        value, r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}", "use up to 128 letters, digits, dots, dashes, underscores"
    )


def service_account(value: str) -> str:
    """A service account's e-mail address."""
    pattern = r"[a-z0-9._-]+@([a-z0-9-]+\.)*gserviceaccount\.com"
    return accept(
        value, pattern, "use a service account's e-mail address, as in name@project.iam.gserviceaccount.com"
    )


def identity(value: str) -> str:
    """Whose account the launcher runs as."""
    if value in ("app-engine", "dedicated"):
        return value
    try:
        return service_account(value)
    except ValueError:
        raise ValueError(f"is {value!r}; use app-engine, dedicated, or a service account's e-mail address") from None


def backend_service(value: str) -> str:
    """A backend service's name."""
    return accept(value, r"[a-z]([a-z0-9-]*[a-z0-9])?", "use a name from: gcloud compute backend-services list")


def soft_delete_days(value: int) -> int:
    """For how long deleted objects are kept: not at all, or 7 to 90 days."""
    if value != 0 and not 7 <= value <= 90:
        raise ValueError(f"is {value}; use 0 for none, or 7 to 90")
    return value


def python_runtime(value: str) -> str:
    """A Python runtime of gen2 functions; older ones are no longer deployed (functions/docs/runtime-support)."""
    return accept(value, r"python31[1-4]", "use python311 to python314, as in python313")


def memory_size(value: str) -> str:
    """Memory of an instance."""
    return accept(value, r"[1-9][0-9]{0,5}(Mi|Gi)", "use an amount such as 512Mi or 1Gi")


def cpu_count(value: str) -> str:
    """Processors of an instance, as text: a whole number of them, or a fraction of one."""
    fix = 'use "1", "2", "4", "6" or "8", or a fraction from "0.08" to "0.99", in quotes'
    return accept(value, r"[12468]|0\.(0[89]|[1-9][0-9]?)", fix)


def mebibytes(memory: str) -> int:
    """A memory size such as 512Mi or 2Gi as a number."""
    return int(memory[:-2]) * (1024 if memory.endswith("Gi") else 1)


def cpu_fits_memory(cpu: str, memory: str) -> None:
    """Cloud Run's bounds for one by the other: run/docs/configuring/services/memory-limits and cpu."""
    processors, has = float(cpu), mebibytes(memory)
    lowest = max(least for at_least, least in LOWEST_MEMORY if processors >= at_least)
    highest = max(most for at_least, most in HIGHEST_MEMORY if processors >= at_least)
    if not lowest <= has <= highest:
        raise ValueError(f"memory {memory} does not go with cpu {cpu!r}; use {lowest}Mi to {highest}Mi")


def google_api(value: str) -> str:
    """The origin of one of Google's APIs. The launcher's access token is sent there, and it opens all of them."""
    origin = read_origin(value)
    if not origin.endswith(GOOGLE_APIS):
        raise ValueError(f"is {value!r}; a token goes to Google's own APIs only, whose hosts end in {GOOGLE_APIS}")
    return origin


def audience(value: str) -> str:
    """Whom a token is for."""
    return accept(value, r"[!-~]{1,255}", "use up to 255 letters of ASCII, without spaces")


def is_oauth_client(value: str) -> bool:
    """Whether it is an OAuth client's id, which is the audience of tokens for Identity-Aware Proxy."""
    return bool(re.fullmatch(r"[0-9]+(-[a-z0-9]+)?\.apps\.googleusercontent\.com", value))


def namespace(value: str) -> str:
    """A Kubernetes namespace."""
    return accept(value, r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", "use up to 63 lower-case letters, digits and dashes")


def kubernetes_account(value: str) -> str:
    """A Kubernetes service account's name; not an address of Google Cloud's."""
    fix = "use the name of a Kubernetes service account, as in pipeline-runner"
    return accept(value, r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?", fix)


def pipeline_root(value: str) -> str:
    """Where the runs of a KFP installation put their output."""
    return accept(value, r"(gs|s3|minio)://[^\s/]+(/\S*)?", "use a place such as gs://BUCKET/runs")


def gcs_root(value: str) -> str:
    """Where pipeline jobs put their output: in Cloud Storage, as Vertex AI has it."""
    return accept(value, rf"gs://{BUCKET}(/\S*)?", "use a place in Cloud Storage, as in gs://BUCKET/runs")


def job_labels(value: Mapping[str, str]) -> Mapping[str, str]:
    """Labels of pipeline jobs, beside those that the launcher sets."""
    for name, text in value.items():
        if name in OWN_LABELS or name.startswith("vertex-ai-pipelines"):
            raise ValueError(f"has {name!r}, which is set without you; choose another name")
        fix = "use up to 63 lower-case letters, digits, dashes and underscores"
        if not re.fullmatch(LABEL, name):
            raise ValueError(f"has the name {name!r}; {fix}, a letter first")
        if not re.fullmatch(r"[a-z0-9_-]{0,63}", text):
            raise ValueError(f"has {text!r} as {name}; {fix}")
    return value


def peered_network(value: str) -> str:
    """A VPC that is peered with Vertex AI's, in the one form that its API takes."""
    fix = "use projects/PROJECT_NUMBER/global/networks/NAME, with the project's number"
    return accept(value, r"projects/[0-9]+/global/networks/[a-z]([a-z0-9-]*[a-z0-9])?", fix)


def vpc_part(value: str) -> str:
    """A VPC network or a subnetwork, by its name or its path."""
    pattern = r"(projects/[a-z0-9.:-]+/(global/networks|regions/[a-z0-9-]+/subnetworks)/)?[a-z]([a-z0-9-]*[a-z0-9])?"
    return accept(value, pattern, "use its name, or its path where it is another project's")


def cmek_key(value: str) -> str:
    """A key of Cloud KMS."""
    fix = "use projects/PROJECT/locations/LOCATION/keyRings/RING/cryptoKeys/KEY"
    return accept(value, rf"projects/[a-z0-9.:-]+/locations/{REGION}/keyRings/[\w-]+/cryptoKeys/[\w-]+", fix)


def accept(value: str, pattern: str, fix: str) -> str:
    """The value, if the pattern has all of it."""
    if not re.fullmatch(pattern, value):
        raise ValueError(f"is {value!r}; {fix}")
    return value
