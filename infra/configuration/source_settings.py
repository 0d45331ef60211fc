"""Where a trigger's events come from, as it stands in a stack file."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from function_src.launcher.mapping.glob import Glob
from function_src.launcher.objects import asked_for
from infra.configuration import place_rules, rules, source_rules
from infra.configuration.model import Model

OF_OWN_BUCKETS = ("location", "soft_delete_days")
Filter = Annotated[
    Annotated[str, AfterValidator(source_rules.attribute_filter)] | None,
    Field(
        description="which messages Pub/Sub delivers, by their attributes; at most 256 bytes",
        examples=['attributes.kind = "export"'],
    ),
]


class GcsSource(Model):
    """New objects in a bucket: one that the stack makes, or with `bucket` one that is there already.

    With `topic` one of any project, whose owner announces its objects there.
    """

    kind: Annotated[Literal["gcs"], Field(description="Cloud Storage")]
    bucket: Annotated[
        Annotated[str, AfterValidator(source_rules.bucket_name)] | None,
        Field(
            description="a bucket that is there already, in the stack's project or, with `topic`, in any; the stack "
            "makes one if left out",
            examples=["acme-labels"],
        ),
    ] = None
    prefix: Annotated[
        str,
        AfterValidator(rules.object_prefix),
        Field(description="how object names must start, literally", examples=["incoming/"]),
    ] = ""
    glob: Annotated[
        Annotated[str, AfterValidator(source_rules.object_glob)] | None,
        Field(
            description="which object names are events, matched against the whole name; others are `skipped`",
            examples=["**/*.json"],
        ),
    ] = None
    include: Annotated[
        list[Literal["folders", "temporary", "uploads"]],
        Field(
            description="what is an event too, though tools make it for their own ends: `folders` (empty objects "
            "that stand for one), `uploads` (pieces of parallel composite uploads), `temporary` (files that a tool "
            "is still writing)",
            examples=[["temporary"]],
            default_factory=list,
        ),
    ]
    topic: Annotated[
        Annotated[str, AfterValidator(source_rules.topic_name)] | None,
        Field(
            description="a topic, of any project, on which `bucket`'s new objects are announced already; the stack "
            "then makes no notification",
            examples=["projects/acme-data/topics/new-objects"],
        ),
    ] = None
    filter: Filter = None
    location: Annotated[
        Annotated[str, AfterValidator(place_rules.bucket_location)] | None,
        Field(
            description="the bucket's location: a region, `US`, `EU`, `ASIA` or a predefined dual-region; the "
            "stack's region if left out",
            examples=["EU"],
        ),
    ] = None
    soft_delete_days: Annotated[
        int,
        AfterValidator(rules.soft_delete_days),
        Field(
            description="for how many days a deleted file can be restored: 0, or 7 to 90; a restored file is a new "
            "event"
        ),
    ] = 7

    @model_validator(mode="after")
    def _an_existing_bucket_stays_as_it_is(self) -> GcsSource:
        given = [key for key in OF_OWN_BUCKETS if key in self.model_fields_set]
        if self.bucket and given:
            raise ValueError(
                f"{given[0]} is for a bucket that the stack makes, and bucket {self.bucket!r} is there: "
                f"leave out {given[0]} or bucket"
            )
        return self

    @model_validator(mode="after")
    def _what_is_on_a_topic_is_of_one_bucket(self) -> GcsSource:
        if self.topic and not self.bucket:
            raise ValueError(
                f"topic {self.topic!r} can carry any bucket's objects: add bucket, the one whose objects are events"
            )
        if self.filter and not self.topic:
            raise ValueError("filter is for a topic that is there already; use prefix and glob, or add topic")
        return self

    @model_validator(mode="after")
    def _glob_can_match(self) -> GcsSource:
        if self.glob and not Glob(self.glob).can_follow(self.prefix):
            raise ValueError(
                f"glob {self.glob!r} matches no name that starts with {self.prefix!r}: a glob is for the whole name, "
                f"and * stops at a slash; write {self.prefix}{self.glob} or **/{self.glob.rsplit('/', 1)[-1]}"
            )
        return self

    @property
    def announced(self) -> str:
        """How names start that Cloud Storage announces: the longer, the fewer deliveries the glob passes over."""
        return max(self.prefix, Glob(self.glob).head if self.glob else "", key=len)

    @property
    def meant(self) -> list[str]:
        """The kinds of objects of tools that are events: those that are listed, or that prefix or glob name."""
        return sorted({*self.include} | asked_for(self.prefix, self.glob))


class PubSubSource(Model):
    """Messages on a topic: one that the stack makes, or with `topic` one that is there already."""

    kind: Annotated[Literal["pubsub"], Field(description="Pub/Sub")]
    topic: Annotated[
        Annotated[str, AfterValidator(source_rules.topic_name)] | None,
        Field(
            description="a topic that is there already, of this project or another; the stack makes one if left out",
            examples=["projects/acme-data/topics/exports"],
        ),
    ] = None
    filter: Filter = None


class LogSource(Model):
    """Log entries of the project that a filter of Cloud Logging selects."""

    kind: Annotated[Literal["log"], Field(description="Cloud Logging")]
    filter: Annotated[
        str,
        AfterValidator(source_rules.log_filter),
        Field(
            description="which entries of the project, in the Logging query language; at most 20000 characters",
            examples=['protoPayload.methodName="jobservice.jobcompleted"'],
        ),
    ]


class ScheduleSource(Model):
    """Points in time."""

    kind: Annotated[Literal["schedule"], Field(description="Cloud Scheduler")]
    cron: Annotated[
        str,
        AfterValidator(source_rules.cron_schedule),
        Field(description="when: minute, hour, day of the month, month, day of the week", examples=["0 6 * * 1-5"]),
    ]
    time_zone: Annotated[
        str, AfterValidator(source_rules.time_zone), Field(description="whose clock that is, by its IANA name")
    ] = "Etc/UTC"
    payload: Annotated[
        Any,
        Field(
            description="what each firing carries, as `content`: text, or anything as JSON", examples=[{"days": 7}]
        ),
    ] = None

    @property
    def data(self) -> str:
        """What each firing carries: text as it is, anything else as JSON."""
        if self.payload is None:
            return ""
        return self.payload if isinstance(self.payload, str) else json.dumps(self.payload, sort_keys=True)


Source = Annotated[GcsSource | PubSubSource | LogSource | ScheduleSource, Field(discriminator="kind")]
