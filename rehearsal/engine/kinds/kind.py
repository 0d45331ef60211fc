"""What types of resources have in common.

Which properties there are and which are demanded is the SDK's word (pulumi_gcp 10.2), as its classes of arguments
have it; what another value replaces is magic-modules' `ForceNew`; the permissions are from the sources that
ops/iam/deployer/needs.py names.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, ClassVar

from rehearsal.engine.cloud import Cloud, CloudError, Thing
from rehearsal.engine.values import UNKNOWN, Values

LABELS = ("pulumiLabels", "effectiveLabels")


class Kind:
    """A type of resource. ``computed`` is what is unknown in a preview of a new one.

    ``path`` is a thing's id, in terms of its inputs; ``autoname`` the input that the provider makes up;
    ``permissions`` what a verb takes, where it is not ``prefix``.create and so on. Inputs have a project here.
    """

    type: ClassVar[str]
    required: ClassVar[frozenset[str]]
    optional: ClassVar[frozenset[str]]
    replaces: ClassVar[frozenset[str]]
    autoname: ClassVar[str] = ""
    defaults: ClassVar[Mapping[str, Any]] = {}
    computed: ClassVar[tuple[str, ...]] = ()
    delete_first: ClassVar[bool] = False
    service: ClassVar[str] = ""
    prefix: ClassVar[str] = ""
    path: ClassVar[str] = ""
    permissions: ClassVar[Mapping[str, tuple[str, ...]]] = {}

    def identify(self, inputs: Values) -> str:
        """The id that a thing with these inputs has."""
        return self.path.format(**inputs)

    def refer(self, cloud: Cloud, inputs: Values) -> None:
        """Refuses what names something that is not there."""

    def compute(self, cloud: Cloud, inputs: Values) -> dict[str, Any]:
        """What Google Cloud adds."""
        return {}

    def unknowns(self, inputs: Values) -> dict[str, Any]:
        """What a preview of a new thing shows of what Google Cloud will add."""
        return dict.fromkeys(self.computed, UNKNOWN)

    def create(self, cloud: Cloud, inputs: Values) -> Thing:
        """Makes a thing.

        Raises:
            CloudError: it is there already, or may not be made.
        """
        self.may(cloud, inputs, "create")
        if self.service:
            cloud.need_service(inputs["project"], self.service)
        cloud.fail(self.type, "create")
        self.refer(cloud, inputs)
        made = Thing(self.type, self.identify(inputs), dict(inputs), self.compute(cloud, inputs), time.monotonic())
        if made.id in cloud.things:
            raise CloudError(f"googleapi: Error 409: {made.id} already exists., alreadyExists")
        cloud.things[made.id] = made
        cloud.fail(self.type, "create", late=True)
        return made

    def read(self, cloud: Cloud, thing_id: str, inputs: Values) -> Thing | None:
        """A thing as it is; None if it is gone."""
        self.may(cloud, inputs, "read")
        return cloud.things.get(thing_id)

    def update(self, cloud: Cloud, thing_id: str, inputs: Values) -> Thing:
        """Changes a thing in place."""
        self.may(cloud, inputs, "update")
        cloud.fail(self.type, "update")
        thing = self.there(cloud, thing_id)
        self.refer(cloud, inputs)
        thing.inputs = dict(inputs)
        cloud.fail(self.type, "update", late=True)
        return thing

    def delete(self, cloud: Cloud, thing_id: str, inputs: Values) -> None:
        """Removes a thing; nothing happens if it is gone."""
        self.may(cloud, inputs, "delete")
        cloud.fail(self.type, "delete")
        cloud.things.pop(thing_id, None)
        cloud.policies.pop(thing_id, None)

    def there(self, cloud: Cloud, thing_id: str) -> Thing:
        """A thing that must be there."""
        if thing_id not in cloud.things:
            raise CloudError(f"googleapi: Error 404: {thing_id} not found., notFound")
        return cloud.things[thing_id]

    def may(self, cloud: Cloud, inputs: Values, verb: str) -> None:
        """Refuses a deployer who may not."""
        usual = {
            "create": (f"{self.prefix}.create", f"{self.prefix}.get"),
            "read": (f"{self.prefix}.get",),
            "update": (f"{self.prefix}.update", f"{self.prefix}.get"),
            "delete": (f"{self.prefix}.delete",),
        }
        cloud.need(inputs["project"], *self.permissions.get(verb, usual[verb] if self.prefix else ()))


def properties(names: str) -> frozenset[str]:
    """Names of properties, from a text."""
    return frozenset(names.split())
