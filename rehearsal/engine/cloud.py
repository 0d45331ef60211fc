"""A small Google Cloud in memory: what was made in it, who was granted what, and what goes wrong.

It outlives the engine that makes things in it, as the real one does. Time passes in it as it does outside.
"""

from __future__ import annotations

import copy
import itertools
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from rehearsal.program import PROJECT_NUMBER

APP_ENGINE, COMPUTE = "{project}@appspot.gserviceaccount.com", "{number}-compute@developer.gserviceaccount.com"
NOT_ENABLED = (
    "googleapi: Error 403: {service} API has not been used in project {project} before or it is disabled. Enable it "
    "by visiting the console then retry. If you enabled this API recently, wait a few minutes for the action to "
    "propagate to our systems and retry., accessNotConfigured"
)
UNKNOWN_ACCOUNT = "googleapi: Error 400: Service account {email} does not exist., badRequest"


class CloudError(Exception):
    """What an API refuses a call with, in its words."""


class HalfMadeError(CloudError):
    """A call failed after the thing was made, or half changed: it stays, and the engine is told of both."""


@dataclass
class Thing:
    """What was made: ``inputs`` as they were sent, ``computed`` what Google Cloud added."""

    type: str
    id: str
    inputs: dict[str, Any]
    computed: dict[str, Any]
    made_at: float

    @property
    def outputs(self) -> dict[str, Any]:
        """All its properties."""
        return {**self.inputs, **self.computed}


@dataclass
class Fault:
    """The next ``times`` calls of ``verb`` for things whose type ends so fail with ``message``.

    A ``late`` one fails after the thing was made, as a build does.
    """

    type: str
    verb: str
    message: str
    times: int = 1
    late: bool = False


@dataclass
class Delays:
    """For how many seconds what is new is not known everywhere."""

    services: float = 0
    accounts: float = 0
    grants: float = 0


@dataclass
class Given:
    """What was there before any stack: addresses of accounts, names of buckets, topics and backend services."""

    accounts: set[str] = field(default_factory=set)
    buckets: set[str] = field(default_factory=set)
    topics: set[str] = field(default_factory=set)
    backend_services: set[str] = field(default_factory=set)


class Cloud:
    """Projects, and what is in them.

    ``may`` are the permissions that the deployer has in its project; None is all. ``asked`` are those that were
    asked for. ``interrupts`` are called, once, when a thing of a type (its token's end) has been made and before
    the engine hears of it.
    """

    def __init__(self, project: str, *, default_accounts: bool = True) -> None:
        self.project = project
        self.lock = threading.RLock()
        self.things: dict[str, Thing] = {}
        self.services: dict[tuple[str, str], float] = {}
        self.accounts: dict[str, float] = {}
        self.policies: dict[str, dict[tuple[str, str, str], float]] = {}
        self.deleted_roles: set[str] = set()
        self.objects: dict[str, dict[str, int]] = {}
        self.running: dict[str, str] = {}
        self.patches: list[dict[str, Any]] = []
        self.given = Given()
        self.delays = Delays()
        self.faults: list[Fault] = []
        self.interrupts: dict[str, Callable[[], None]] = {}
        self.may: frozenset[str] | None = None
        self.asked: set[str] = set()
        self.generations = itertools.count(1_764_000_000_000_001)
        if default_accounts:
            self.given.accounts |= {APP_ENGINE.format(project=project), COMPUTE.format(number=PROJECT_NUMBER)}

    def copy(self) -> Cloud:
        """Another one in which the same was made, to go on from here."""
        twin = Cloud(self.project)
        for name, value in vars(self).items():
            if name != "lock":
                setattr(twin, name, copy.deepcopy(value))
        return twin

    def need(self, project: str, *permissions: str) -> None:
        """Refuses a call that the deployer may not make."""
        if project != self.project:
            return
        self.asked.update(permissions)
        for permission in permissions:
            if self.may is not None and permission not in self.may:
                raise CloudError(
                    f"googleapi: Error 403: Permission '{permission}' denied on resource '//cloudresourcemanager."
                    f"googleapis.com/projects/{project}' (or it may not exist)., forbidden"
                )

    def need_service(self, project: str, service: str) -> None:
        """Refuses a call to an API that is not enabled, or not yet known to be."""
        enabled = self.services.get((project, f"{service}.googleapis.com"))
        if project == self.project and (enabled is None or self._is_new(enabled, self.delays.services)):
            raise CloudError(NOT_ENABLED.format(service=service, project=PROJECT_NUMBER))

    def need_account(self, email: str, message: str = UNKNOWN_ACCOUNT) -> None:
        """Refuses a call that names an account which is not there, or not yet known to be."""
        made = self.accounts.get(email)
        if email not in self.given.accounts and (made is None or self._is_new(made, self.delays.accounts)):
            raise CloudError(message.format(email=email))

    def holds(self, email: str, role: str, scope: str) -> bool:
        """Whether an account has been granted a role on ``scope`` for long enough to use it."""
        made = [
            at
            for (granted, member, _), at in self.policies.get(scope, {}).items()
            if (granted, member) == (role, f"serviceAccount:{email}")
        ]
        return any(not self._is_new(at, self.delays.grants) for at in made)

    def fail(self, type_token: str, verb: str, *, late: bool = False) -> None:
        """Lets the next fault that is for such a call happen."""
        for fault in self.faults:
            if fault.times and fault.verb == verb and fault.late == late and type_token.endswith(fault.type):
                fault.times -= 1
                raise (HalfMadeError if late else CloudError)(fault.message)

    def interrupt(self, type_token: str) -> None:
        """Calls what was to be called when such a thing has been made."""
        for end in [end for end in self.interrupts if type_token.endswith(end)]:
            self.interrupts.pop(end)()

    def of_type(self, end: str) -> list[Thing]:
        """The things whose type ends so."""
        return [thing for thing in self.things.values() if thing.type.endswith(end)]

    def there_is(self, thing_id: str) -> bool:
        """Whether a thing, a bucket or a topic is there, by its id."""
        return thing_id in self.things or thing_id in self.given.buckets or thing_id in self.given.topics

    @contextmanager
    def faulty(self, *faults: Fault) -> Iterator[None]:
        """Faults for as long as the context lasts."""
        self.faults += faults
        try:
            yield
        finally:
            self.faults = [fault for fault in self.faults if fault not in faults]

    def _is_new(self, made_at: float, delay: float) -> bool:
        return time.monotonic() - made_at < delay
