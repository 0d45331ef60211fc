"""What a trigger's launcher is given, and how long an event is tried, as it stands in a stack file."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from infra.configuration import rules
from infra.configuration.model import Model


class FunctionSettings(Model):
    """The launcher's resources, and its way out. One instance serves `concurrency` deliveries at once."""

    runtime: Annotated[
        str,
        AfterValidator(rules.python_runtime),
        Field(description="the Python it runs on: `python311` to `python314`"),
    ] = "python313"
    memory: Annotated[
        str,
        AfterValidator(rules.memory_size),
        Field(description="memory of an instance; Cloud Run bounds it by the processors"),
    ] = "512Mi"
    cpu: Annotated[
        str, AfterValidator(rules.cpu_count), Field(description="processors of an instance, in quotes")
    ] = "1"
    timeout_seconds: Annotated[
        int,
        Field(ge=60, le=540, description="for how long a delivery is handled; below the ack deadline, which is 600"),
    ] = 300
    concurrency: Annotated[
        int, Field(ge=1, le=1000, description="how many deliveries one instance handles at once")
    ] = 16
    max_instances: Annotated[int, Field(ge=1, le=1000, description="how many instances there are at most")] = 10
    network: Annotated[
        Annotated[str, AfterValidator(rules.vpc_part)] | None,
        Field(
            description="the VPC that the launcher sends through (Direct VPC egress), for endpoints with private "
            "addresses",
            examples=["ml"],
        ),
    ] = None
    subnetwork: Annotated[
        Annotated[str, AfterValidator(rules.vpc_part)] | None,
        Field(
            description="its subnetwork, in the stack's region; the one named like the network if left out, which "
            "it cannot be where the network is a path",
            examples=["ml-us-central1"],
        ),
    ] = None
    egress: Annotated[
        Literal["private-ranges-only", "all-traffic"],
        Field(description="what goes through the VPC"),
    ] = "private-ranges-only"

    @property
    def in_vpc(self) -> bool:
        """Whether what the launcher sends goes through a VPC, where private endpoints are."""
        return bool(self.network)

    @model_validator(mode="after")
    def _resources_fit_each_other(self) -> FunctionSettings:
        rules.cpu_fits_memory(self.cpu, self.memory)
        if self.concurrency > 1 and float(self.cpu) < 1:
            raise ValueError(f'concurrency {self.concurrency} needs a whole cpu; set cpu: "1" or concurrency: 1')
        if self.egress == "all-traffic" and not self.in_vpc:
            raise ValueError("egress says what goes through a VPC, and there is none; set network")
        if self.subnetwork and not self.network:
            raise ValueError(f"subnetwork {self.subnetwork} needs its network; set network too")
        if self.network and "/" in self.network and not self.subnetwork:
            raise ValueError("network is a path, which tells no subnetwork; set subnetwork too, by its path")
        return self


class DeliverySettings(Model):
    """How long and how often an event is tried before it dead-letters."""

    retention_days: Annotated[
        int, Field(ge=1, le=31, description="for how long an event that is not delivered is kept")
    ] = 7
    attempts: Annotated[
        int,
        Field(ge=5, le=100, description="attempts before an event is dead-lettered; 100 take about 16 hours"),
    ] = 100
