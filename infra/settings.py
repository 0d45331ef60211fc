"""The stack's configuration: what a person may write into Pulumi.<stack>.yaml, and what is wrong with it.

The schema in Pulumi.yaml cannot say more than "a list of objects", so everything is checked here, all problems
are reported at once, and each names its key and its fix.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from infra import rules
from infra.errors import ConfigurationError

PROJECT = "event-triggered-pipelines"
TRIGGERS = f"{PROJECT}:triggers"
LEDGER_DAYS = f"{PROJECT}:ledger_days"
LONGEST_DEAD_LETTER = 31  # days, as infra/delivery.py sets and Pub/Sub allows
EndpointAccess = Literal["viewer", "project-viewer", "service-account-user", "iap", "none"]
HOSTED_ONLY = ("viewer", "project-viewer", "service-account-user")
SHAPES = {  # pydantic's name for the error, what was wanted, an example of it
    "list_type": ("list", "a list: - name: ..."),
    "model_type": ("block of keys", "key: value, or leave it out"),
    "dict_type": ("block of keys", "NAME: EXPRESSION"),
    "string_type": ("text", "it in quotes"),
    "int_type": ("whole number", "it without quotes, as in 7"),
}
HINTS = {
    "project": "pulumi config set gcp:project YOUR_PROJECT_ID",
    "region": "pulumi config set gcp:region us-central1",
    "triggers": "add a trigger, as Pulumi.dev.yaml does",
}


class Model(BaseModel):
    """Base of every block: unknown keys are errors, and nothing is coerced or changed afterwards."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class GcsSource(Model):
    """New objects in a bucket that the stack owns."""

    kind: Literal["gcs"]
    prefix: Annotated[str, AfterValidator(rules.object_prefix)] = ""
    location: Annotated[str, AfterValidator(rules.bucket_location)] | None = None
    soft_delete_days: Annotated[int, AfterValidator(rules.soft_delete_days)] = 7


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


class FunctionSettings(Model):
    """The launcher's resources. One instance serves ``concurrency`` deliveries at once."""

    runtime: Annotated[str, AfterValidator(rules.python_runtime)] = "python313"
    memory: Annotated[str, AfterValidator(rules.memory_size)] = "512Mi"
    cpu: Annotated[str, AfterValidator(rules.cpu_count)] = "1"
    timeout_seconds: Annotated[int, Field(ge=60, le=540)] = 300
    concurrency: Annotated[int, Field(ge=1, le=1000)] = 16
    max_instances: Annotated[int, Field(ge=1, le=1000)] = 10

    @model_validator(mode="after")
    def _resources_fit_each_other(self) -> FunctionSettings:
        rules.cpu_fits_memory(self.cpu, self.memory)
        if self.concurrency > 1 and float(self.cpu) < 1:
            raise ValueError(f'concurrency {self.concurrency} needs a whole cpu; set cpu: "1" or concurrency: 1')
        return self


class DeliverySettings(Model):
    """How long and how often an event is tried before it dead-letters."""

    retention_days: Annotated[int, Field(ge=1, le=31)] = 7
    attempts: Annotated[int, Field(ge=5, le=100)] = 100


class TriggerSettings(Model):
    """One configured path from a source to a target."""

    name: Annotated[str, AfterValidator(rules.trigger_name)]
    source: GcsSource
    pipeline: str
    parameters: Mapping[str, Any] = Field(default_factory=dict)
    target: KfpTarget
    identity: Annotated[str, AfterValidator(rules.identity)] = "app-engine"
    content_limit: Annotated[int, Field(ge=1, le=32 * 2**20)] = 2**20
    function: FunctionSettings = FunctionSettings()
    delivery: DeliverySettings = DeliverySettings()


class StackSettings(Model):
    """One stack: where it is and which triggers it has."""

    stack: Annotated[str, AfterValidator(rules.stack_name)]
    project: Annotated[str, AfterValidator(rules.project_id)]
    region: Annotated[str, AfterValidator(rules.region_name)]
    triggers: list[TriggerSettings]
    ledger_days: int = 93

    @model_validator(mode="after")
    def _has_triggers_with_names_of_their_own(self) -> StackSettings:
        names = [trigger.name for trigger in self.triggers]
        if not names:
            raise ValueError(f"{TRIGGERS}: the list is empty; {HINTS['triggers']}")
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"{TRIGGERS}: two triggers are called {twice[0]!r}; give each a name of its own")
        return self

    @model_validator(mode="after")
    def _app_engine_account_can_be_computed(self) -> StackSettings:
        users = [number for number, trigger in enumerate(self.triggers) if trigger.identity == "app-engine"]
        if ":" in self.project and users:
            domain, name = self.project.split(":", 1)
            raise ValueError(
                f"{TRIGGERS}[{users[0]}].identity: app-engine does not work in the domain-scoped project "
                f"{self.project!r}; use dedicated, or the address itself: {name}.{domain}@appspot.gserviceaccount.com"
            )
        return self

    @model_validator(mode="after")
    def _ledger_outlives_every_message(self) -> StackSettings:
        """Else a dead letter could be replayed after the ledger forgot that its event was launched."""
        longest = max((trigger.delivery.retention_days for trigger in self.triggers), default=0) + LONGEST_DEAD_LETTER
        if self.ledger_days < longest:
            raise ValueError(f"{LEDGER_DAYS}: is {self.ledger_days}; a message can live for {longest} days: use more")
        return self

    @property
    def app_engine_account(self) -> str:
        """The App Engine default account's address: computed, since looking it up would fail where it is missing."""
        return f"{self.project}@appspot.gserviceaccount.com"


def read_settings(stack: str, config: Mapping[str, str]) -> StackSettings:
    """Reads a stack's configuration as the engine hands it over: lists and maps as JSON text.

    Raises:
        ConfigurationError: one line for each problem.
    """
    own = {key: value for key, value in config.items() if key.startswith(f"{PROJECT}:")}
    unknown = [key for key in own if key not in (TRIGGERS, LEDGER_DAYS)]
    problems = [f"{key}: unknown key; known: {TRIGGERS}, {LEDGER_DAYS}" for key in unknown]
    values: dict[str, Any] = {
        "stack": stack,
        "project": config.get("gcp:project"),
        "region": config.get("gcp:region"),
        "triggers": _parsed(own.get(TRIGGERS)),
        "ledger_days": _parsed(own.get(LEDGER_DAYS)),
    }
    try:
        settings = StackSettings.model_validate({key: value for key, value in values.items() if value is not None})
    except ValidationError as error:
        problems += [_explain(detail) for detail in error.errors()]
    if problems:
        raise ConfigurationError(in_stack_file(stack, problems))
    return settings


def _parsed(value: str | None) -> Any:
    """A value that the engine hands over as JSON; text that is none stays text, and is refused by its type."""
    try:
        return None if value is None else json.loads(value)
    except json.JSONDecodeError:
        return value


def in_stack_file(stack: str, problems: Iterable[str]) -> str:
    """Problems as a list under the name of the file that has them."""
    return f"Pulumi.{stack}.yaml:" + "".join(f"\n  {problem}" for problem in problems)


def _explain(error: ErrorDetails) -> str:
    """One problem as ``key: what is wrong; what to do``."""
    location = error["loc"]
    key, name = _key(location), str(location[-1]) if location else ""
    if error["type"] == "missing":
        return f"{key}: is missing; {HINTS.get(name, f'add {name}')}"
    if error["type"] in SHAPES:
        shape, example = SHAPES[error["type"]]
        return f"{key}: is {error['input']!r}, which is no {shape}; {HINTS.get(name, f'write {example}')}"
    if error["type"] == "extra_forbidden":
        return f"{key}: unknown key; {_did_you_mean(name, location)}"
    if error["type"] == "value_error":
        return f"{key}: {error['ctx']['error']}" if key else str(error["ctx"]["error"])
    if error["type"] == "literal_error":
        return f"{key}: is {error['input']!r}; use {error['ctx']['expected']}"
    return f"{key}: is {error['input']!r}; {error['msg'][:1].lower()}{error['msg'][1:]}"


def _key(location: tuple[int | str, ...]) -> str:
    """``("triggers", 0, "source", "prefix")`` as it stands in the stack file."""
    if not location:
        return ""
    head, *rest = location
    scope = {"project": "gcp:", "region": "gcp:", "triggers": f"{PROJECT}:", "ledger_days": f"{PROJECT}:"}.get(
        str(head), ""
    )
    return scope + str(head) + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in rest)


def _did_you_mean(name: str, location: tuple[int | str, ...]) -> str:
    model: type[BaseModel] = StackSettings
    for part in location[:-1]:
        if isinstance(part, str):
            model = _model_of(model, part)
    known = sorted(model.model_fields)
    close = difflib.get_close_matches(name, known, n=1)
    return (f"did you mean {close[0]}? " if close else "") + f"known: {', '.join(known)}"


def _model_of(model: type[BaseModel], name: str) -> type[BaseModel]:
    annotation = model.model_fields[name].annotation
    candidates = (annotation, *get_args(annotation))
    return next(found for found in candidates if isinstance(found, type) and issubclass(found, BaseModel))
