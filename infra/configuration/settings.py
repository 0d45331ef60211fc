"""The stack's configuration: what a person may write into Pulumi.<stack>.yaml, and what is wrong with it.

The schema in Pulumi.yaml cannot say more than "a list of objects", so everything is checked here, all problems
are reported at once, and each names its key and its fix.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, Field, ValidationError, model_validator

from infra.configuration import place_rules, rules
from infra.configuration.capacity import crowded_endpoints
from infra.configuration.explain import GCP_KEYS, HINTS, OWN_KEYS, PROJECT, explain, explain_keys
from infra.configuration.function_settings import DeliverySettings, FunctionSettings
from infra.configuration.locations import AS_OF, NOT_IN_VERTEX_AI
from infra.configuration.model import Model
from infra.configuration.source_settings import GcsSource, PubSubSource, Source
from infra.configuration.stack_file import in_file
from infra.configuration.target_settings import Target
from infra.errors import ConfigurationError

TRIGGERS = f"{PROJECT}:triggers"
LEDGER_DAYS = f"{PROJECT}:ledger_days"
MOST_NOTIFICATIONS = 10  # of one event type per bucket: docs.cloud.google.com/storage/docs/pubsub-notifications
HOW = {"name", "identity", "content_limit", "function", "delivery"}  # the rest of a trigger says what it does
PARAMETER = {  # for editors; function_src/launcher/mapping/parameters.py reads it
    "anyOf": [
        {"type": "string"},
        {
            "type": "object",
            "properties": {"from": {"type": "string"}, "default": {}},
            "required": ["from"],
            "additionalProperties": False,
        },
        {"type": "object", "properties": {"value": {}}, "required": ["value"], "additionalProperties": False},
    ]
}
LONGEST_DEAD_LETTER = 31  # days, as infra/resources/delivery.py sets and Pub/Sub allows


class TriggerSettings(Model):
    """One configured path from a source to a target."""

    name: Annotated[
        str,
        AfterValidator(rules.trigger_name),
        Field(
            description="up to 30 lower-case letters, digits and dashes; starts the names of the trigger's resources",
            examples=["orders"],
        ),
    ]
    source: Annotated[Source, Field(description="where events come from")]
    pipeline: Annotated[
        str,
        Field(
            description="`echo` for `pipelines/echo.py`, or the path of a compiled package (`.yaml`, `.yml`, "
            "`.json`) from the project's root, see [Packages](#packages)",
            examples=["echo"],
        ),
    ]
    parameters: Annotated[
        Mapping[str, Any],
        Field(
            description="what the pipeline's inputs are given, see [Parameters](#parameters)",
            examples=[{"filename": "object.uri"}],
            json_schema_extra={"additionalProperties": PARAMETER},
        ),
    ] = Field(default_factory=dict)
    when: Annotated[
        str | None,
        Field(
            description="a JMESPath predicate over the event: only `true` launches, see [When](#when)",
            examples=["ends_with(object.name, '.json')"],
        ),
    ] = None
    content_schema: Annotated[
        str | None,
        Field(
            alias="schema",
            description="a JSON Schema, by its path from the project's root, see [A schema](#a-schema)",
            examples=["schemas/order.json"],
        ),
    ] = None
    once_per: Annotated[
        str | None,
        Field(
            description="of events with one value of it one is launched, see [Once per value](#once-per-value)",
            examples=["content.order_id"],
        ),
    ] = None
    once_within_days: Annotated[
        int | None,
        Field(
            ge=1, description="after how many days a value launches again; `ledger_days` if left out", examples=[7]
        ),
    ] = None
    target: Annotated[Target, Field(description="where runs are started")]
    identity: Annotated[
        str,
        AfterValidator(rules.identity),
        Field(
            description="whose account the launcher runs as: `app-engine` (the project's App Engine default "
            "account), `dedicated` (one of its own) or a service account's address"
        ),
    ] = "app-engine"
    content_limit: Annotated[
        int,
        Field(
            ge=1,
            le=32 * 2**20,
            description="how many bytes of a file may be read for its contents, and how many a message may have; a "
            "larger one is rejected",
        ),
    ] = 2**20
    function: Annotated[FunctionSettings, Field(description="the launcher's resources")] = FunctionSettings()
    delivery: Annotated[DeliverySettings, Field(description="how long an event is tried")] = DeliverySettings()


class StackSettings(Model):
    """One stack: where it is and which triggers it has."""

    stack: Annotated[str, AfterValidator(rules.stack_name)]
    project: Annotated[
        str, AfterValidator(rules.project_id), Field(description="the project's id", examples=["acme-ml-prod"])
    ]
    region: Annotated[
        str,
        AfterValidator(place_rules.region_name),
        Field(description="where functions, buckets and images are", examples=["us-central1"]),
    ]
    triggers: Annotated[list[TriggerSettings], Field(description="the list of triggers")]
    ledger_days: Annotated[
        int,
        Field(
            description="for how many days the ledger remembers what became of an event; at least the longest "
            "`retention_days` plus 31"
        ),
    ] = 93
    production: Annotated[
        bool, Field(description="whether default accounts are refused, here and by the policy pack", examples=[True])
    ] = False
    new_region: Annotated[
        str,
        AfterValidator(place_rules.new_region),
        Field(
            description="a region that Google Cloud opened since this version, see [Regions](#regions)",
            examples=["europe-west99"],
        ),
    ] = ""

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
    def _triggers_do_not_conflict(self) -> StackSettings:
        work = [trigger.model_dump(exclude=HOW) for trigger in self.triggers]
        for number, trigger in enumerate(self.triggers):
            first = work.index(work[number])
            if first < number and _is_shared(trigger.source):
                raise ValueError(
                    f"{TRIGGERS}[{number}]: does the same as {TRIGGERS}[{first}], so that each event would start two "
                    "equal runs; take one of them out"
                )
        sources = [trigger.source for trigger in self.triggers if isinstance(trigger.source, GcsSource)]
        buckets = [source.bucket for source in sources if not source.topic]
        for bucket in buckets:
            if bucket and buckets.count(bucket) > MOST_NOTIFICATIONS:
                raise ValueError(
                    f"{TRIGGERS}: {buckets.count(bucket)} triggers are on bucket {bucket!r}, and Cloud Storage "
                    f"announces its new objects to {MOST_NOTIFICATIONS} at most; use more buckets"
                )
        return self

    @model_validator(mode="after")
    def _values_are_remembered(self) -> StackSettings:
        for number, trigger in enumerate(self.triggers):
            where, days = f"{TRIGGERS}[{number}].once_within_days", trigger.once_within_days
            if days and not trigger.once_per:
                raise ValueError(f"{where}: is {days}, and there is no once_per; add the expression, or leave it out")
            if days and days > self.ledger_days:
                raise ValueError(
                    f"{where}: is {days}, and the ledger forgets after {self.ledger_days} days; use at most that, or "
                    "raise ledger_days"
                )
        return self

    @model_validator(mode="after")
    def _endpoints_keep_up(self) -> StackSettings:
        if problem := next(crowded_endpoints(self.triggers), None):
            raise ValueError(f"{TRIGGERS}: {problem}")
        return self

    @model_validator(mode="after")
    def _pipeline_jobs_can_run_in_the_region(self) -> StackSettings:
        for number, trigger in enumerate(self.triggers):
            elsewhere = trigger.target.kind == "kfp" or trigger.target.location
            if self.region in NOT_IN_VERTEX_AI - {self.new_region} and not elsewhere:
                raise ValueError(
                    f"{TRIGGERS}[{number}].target.location: is missing, and Vertex AI did not have "
                    f"{self.region!r} in {AS_OF}; add location, as in us-central1"
                )
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
    def _production_has_accounts_of_its_own(self) -> StackSettings:
        """A default account is everybody's: whatever it is granted, all else that runs as it is granted too."""
        for number, trigger in enumerate(self.triggers):
            accounts = {"identity": trigger.identity, **trigger.target.accounts}
            for key, account in accounts.items():
                if self.production and rules.is_default_account(account):
                    raise ValueError(
                        f"{TRIGGERS}[{number}].{key}: is {account}, a default account, and the stack is marked "
                        f"production; use {'dedicated' if key == 'identity' else 'an account of its own'}"
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


def _is_shared(source: Source) -> bool:
    """Whether another trigger with this source gets the same events: not if each has a bucket or topic of its own."""
    match source:
        case GcsSource(bucket=there) | PubSubSource(topic=there):
            return there is not None
    return True


def read_settings(stack: str, config: Mapping[str, str]) -> StackSettings:
    """Reads a stack's configuration as the engine hands it over: lists and maps as JSON text.

    Raises:
        ConfigurationError: one line for each problem.
    """
    misspelt = explain_keys(config)
    problems = [f"{key}: unknown key; {_instead(meant)}" for key, meant in misspelt.items()]
    # What is misspelt is read as what was meant, so that all else that is wrong is said as well.
    config = {**{meant: config[key] for key, meant in misspelt.items()}, **config}
    values: dict[str, Any] = {
        "stack": stack,
        **{key: config.get(f"gcp:{key}") for key in GCP_KEYS},
        **{key: _parsed(config.get(f"{PROJECT}:{key}")) for key in OWN_KEYS},
    }
    try:
        given = {key: value for key, value in values.items() if value is not None}
        settings = StackSettings.model_validate(given, context={"new_region": values["new_region"]})
    except ValidationError as error:
        problems += [explain(detail, StackSettings) for detail in error.errors()]
    if problems:
        raise ConfigurationError(in_stack_file(stack, problems))
    return settings


def _instead(meant: str) -> str:
    return f"did you mean {meant}?" if meant else f"known: {', '.join(OWN_KEYS)}"


def _parsed(value: str | None) -> Any:
    """A value that the engine hands over as JSON; text that is none stays text, and is refused by its type."""
    try:
        return None if value is None else json.loads(value)
    except (ValueError, RecursionError):
        return value


def in_stack_file(stack: str, problems: Iterable[str]) -> str:
    """Problems as a list under the name of the file that has them."""
    return in_file(f"Pulumi.{stack}.yaml", problems)
