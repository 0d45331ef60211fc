"""Estimates a stack's cost a month from its plan: what stands there anyway, and what each event adds.

An estimate from above, so that nobody is surprised: every event has an instance of the function to itself, and is
read, claimed, recorded and logged. What a run does at its target is not in it, nor are the files, nor what leaves the
region.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

from ops.cost import prices
from ops.cost.prices import GIB, Price
from rehearsal.program import Plan, Resource

VOLUMES = (1_000, 1_000_000)  # events a month, of each trigger
DAYS_A_MONTH = 30
# What is assumed of an event. The sizes are those of a rehearsal's records, log lines and messages, rounded up.
SECONDS = 1.0  # on an instance, a share of its start included
MESSAGE_BYTES = 2_000
LOG_BYTES = 2_500  # the launcher's line, and the one that Cloud Run writes of the request
RECORD_BYTES = 4_000  # a claim and an outcome
LEDGER_WRITES = 2
IMAGE_BYTES = 0.3 * GIB
MEBIBYTES = {"Mi": 1, "Gi": 1024}


@dataclass(frozen=True)
class Line:
    """A part of a trigger's bill: dollars a month without any event, and what each event adds."""

    trigger: str
    what: str
    standing: float
    per_event: float

    def dollars(self, events: int) -> float:
        """A month with so many events of the trigger."""
        return self.standing + events * self.per_event


def estimate(plan: Plan) -> list[Line]:
    """The parts of a stack's bill, trigger by trigger, in the order of their names."""
    functions = sorted(plan.of_type(":Function"), key=_name)
    return [line for function in functions for line in _trigger(plan, function)]


def total(lines: list[Line], events: int) -> float:
    """A month in which each trigger has so many events."""
    return sum(line.dollars(events) for line in lines)


def _trigger(plan: Plan, function: Resource) -> Iterator[Line]:
    name = _name(function)
    service = function.inputs["serviceConfig"]
    settings = json.loads(service["environmentVariables"]["TRIGGER"])
    ledger_months = plan.exports["ledger_days"] / DAYS_A_MONTH
    second = _second(float(service["availableCpu"]), _gibibytes(service["availableMemory"]))
    kept = RECORD_BYTES * ledger_months
    yield Line(name, "Cloud Run: the launcher", 0, SECONDS * second + _of(prices.REQUEST))
    yield Line(name, "Pub/Sub: published and delivered", 0, _of(prices.MESSAGE_BYTE, 2 * MESSAGE_BYTES))
    yield Line(
        name,
        "Cloud Storage: the file is read, the launch claimed and recorded",
        0,
        _of(prices.OBJECT_READ) + _of(prices.OBJECT_WRITTEN, LEDGER_WRITES) + _of(prices.STORED_BYTE_MONTH, kept),
    )
    yield Line(name, "Cloud Logging: two lines", 0, _of(prices.LOG_BYTE, LOG_BYTES))
    yield Line(name, "Artifact Registry: the launcher's image", _of(prices.IMAGE_BYTE_MONTH, IMAGE_BYTES), 0)
    if jobs := [job for job in plan.of_type("cloudscheduler/job:Job") if job.name.rpartition("-")[0] == name]:
        yield Line(name, "Cloud Scheduler: its job", _of(prices.SCHEDULER_JOB_MONTH, len(jobs)), 0)
    if settings["target"]["kind"] == "vertex":
        yield Line(name, "Vertex AI Pipelines: the fee for a run", 0, _of(prices.VERTEX_RUN))


def _name(function: Resource) -> str:
    trigger: str = function.inputs["labels"]["trigger"]
    return trigger


def _of(price: Price, units: float = 1) -> float:
    return price.dollars * units


def _second(processors: float, gibibytes: float) -> float:
    """A second of an instance that handles a request."""
    return _of(prices.CPU_SECOND, processors) + _of(prices.MEMORY_GIB_SECOND, gibibytes)


def _gibibytes(size: str) -> float:
    """The memory of an instance, ``512Mi``."""
    return int(size[:-2]) * MEBIBYTES[size[-2:]] / 1024
