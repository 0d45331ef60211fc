"""The environment that a plan describes, standing on this machine: stand-ins, and the launchers themselves.

Everything is read from the plan, as Google Cloud would be given it; only addresses are changed.
"""

from __future__ import annotations

import base64
import contextlib
import json
import queue
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from rehearsal.function import Function, install, unpack
from rehearsal.google.iam_credentials import IamCredentials
from rehearsal.google.log_filter import read_log_filter
from rehearsal.google.metadata import MetadataServer, Tokens
from rehearsal.google.objects import DEFAULT_CONTENT_TYPE
from rehearsal.google.permissions import Permissions
from rehearsal.google.pubsub import Attempt, PubSub, Subscription
from rehearsal.google.pubsub_api import PubSubApi
from rehearsal.google.storage import Storage
from rehearsal.kfp.pace import Pace
from rehearsal.kfp.proxy import AccessTokens, Below, IdentityAwareProxy
from rehearsal.kfp.runs import RunBook, RunChange
from rehearsal.kfp.server import KfpEndpoint
from rehearsal.leash import scratch
from rehearsal.loopback import Loopback
from rehearsal.planned import announced_by_others, may_read, subscription_of
from rehearsal.program import ROOT, Plan, Resource
from rehearsal.runs.executor import RunExecutor
from rehearsal.vertex import VertexEndpoint

TIME_SCALE = 1 / 50  # a backoff of 10 s becomes 0.2 s, the ack deadline of 600 s becomes 12 s
LEASE_SECONDS = 4.0  # shorter still, and an answer that takes long on a busy machine would be given up
LEASE_IN_PRODUCTION = 300
CACHE = ROOT / ".cache"


@dataclass(frozen=True)
class LogLine:
    """One structured line that a trigger's launcher printed."""

    trigger: str
    entry: Mapping[str, Any]


Happening = Attempt | LogLine | RunChange


@dataclass(frozen=True)
class RunningTrigger:
    """One trigger of the plan, running. ``settings`` are the launcher's own, TRIGGER.

    ``reads_content``: whether the plan lets the launcher read files, for a parameter or `when`.
    """

    name: str
    reads_content: bool
    settings: Mapping[str, Any]
    function: Function
    subscription: Subscription
    endpoint: RunBook

    @property
    def kind(self) -> str:
        """The kind of its source."""
        return str(self.settings["source"]["kind"])

    @property
    def bucket(self) -> str:
        """The trigger bucket, of a trigger that has one."""
        return str(self.settings["source"]["bucket"])

    @property
    def prefix(self) -> str:
        """How the names of objects start that launch."""
        return str(self.settings["source"]["prefix"])


class Environment:
    """A context manager. ``happenings`` is a queue of all that happens; ``say`` hears what is being set up.

    ``tokens`` are all that were handed out; they last ``token_lifetime`` seconds. Artifacts of runs are kept in
    ``kept``, if that is a directory.
    """

    def __init__(
        self,
        plan: Plan,
        say: Callable[[str], None] = lambda _: None,
        *,
        token_lifetime: int = 3600,
        kept: Path | None = None,
    ) -> None:
        self.plan = plan
        self._say = say
        self._token_lifetime = token_lifetime
        self._kept = kept
        self.tokens = Tokens()
        self._exits = contextlib.ExitStack()
        self._permissions = Permissions(plan)
        self._endpoints: dict[str, RunBook] = {}
        self._endpoint_urls: dict[str, str] = {}
        self.happenings: queue.SimpleQueue[Happening] = queue.SimpleQueue()
        self.loopback = Loopback()
        self.pubsub: PubSub
        self.pubsub_url: str
        self.storage: Storage
        self.storage_url: str
        self._iam_credentials_url: str
        self._metadata: str
        self.triggers: list[RunningTrigger] = []

    def __enter__(self) -> Environment:
        try:
            self._start()
        except BaseException:
            self._exits.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._say("Stopping")
        self._exits.close()

    def upload(self, bucket: str, name: str, body: bytes, **attributes: Any) -> str:
        """Writes an object and returns its subject, ``gs://bucket/name#generation``. ``attributes`` are of the object
        resource: contentType, metadata."""
        if bucket not in self.storage.buckets:
            self.loopback.call(self.storage.create_bucket, bucket)
        attributes = {"contentType": DEFAULT_CONTENT_TYPE, **attributes}
        written = self.loopback.call(self.storage.put, bucket, name, body, attributes)
        return f"gs://{bucket}/{name}#{written.generation}"

    def log(self, entry: Mapping[str, Any]) -> None:
        """Has an entry logged in the project: every sink whose filter selects it exports it.

        Raises:
            UnsupportedFilterError: the filter of a sink is more than the stand-in understands.
        """
        for sink in self.plan.of_type(":ProjectSink"):
            chosen = read_log_filter(sink.inputs["filter"]).matches(entry)
            if chosen and not any(read_log_filter(own["filter"]).matches(entry) for own in sink.inputs["exclusions"]):
                stamp = {"logging.googleapis.com/timestamp": str(entry.get("timestamp"))}
                topic = sink.inputs["destination"].removeprefix("pubsub.googleapis.com/")
                self.loopback.call(self.pubsub.publish, topic, json.dumps(entry).encode(), stamp)

    def fire(self, topic: str) -> str:
        """Has the job that publishes to a topic fire now; returns the message's id."""
        data, attributes = self.firing(topic)
        return self.loopback.call(self.pubsub.publish, topic, data, attributes)

    def firing(self, topic: str) -> tuple[bytes, Mapping[str, str]]:
        """What the job that publishes to a topic publishes: data and attributes."""
        targets = (job.inputs["pubsubTarget"] for job in self.plan.of_type(":Job"))
        [target] = [target for target in targets if target["topicName"] == topic]
        return base64.b64decode(target.get("data", "")), target["attributes"]

    def _start(self) -> None:
        self._say("Starting the stand-ins")
        self._exits.enter_context(self.loopback)
        self.pubsub = self.loopback.call(PubSub, TIME_SCALE, self.happenings.put)
        self._exits.callback(lambda: self.loopback.run(self.pubsub.close()))
        self.pubsub_url = self.loopback.serve(PubSubApi(self.pubsub, TIME_SCALE).app)
        self.storage = Storage(self._publish)
        self.storage_url = self.loopback.serve(self.storage.app)
        iam_credentials = IamCredentials(self.tokens, self._permissions.may_impersonate, self._token_lifetime)
        self._iam_credentials_url = self.loopback.serve(iam_credentials.app)
        steps = MetadataServer(f"pipeline-runner@{self.plan.project}.iam.gserviceaccount.com", self.plan.project)
        self._metadata = self.loopback.serve(steps.app).removeprefix("http://")
        for bucket in self.plan.of_type(":Bucket"):
            self.storage.create_bucket(bucket.outputs["name"], bucket.inputs["location"])
        there = (subscription.inputs["topic"] for subscription in self.plan.of_type(":Subscription"))
        for topic in {*there, *(topic.id for topic in self.plan.of_type(":Topic"))}:
            self.pubsub.create_topic(topic)
        functions = {
            function.outputs["serviceConfig"]["uri"]: function for function in self.plan.of_type(":Function")
        }
        for planned in sorted(self.plan.of_type(":Subscription"), key=lambda subscription: subscription.name):
            function = functions.get(planned.inputs.get("pushConfig", {}).get("pushEndpoint"))
            if function:
                self.triggers.append(self._start_trigger(function, planned))
            else:
                self.pubsub.subscribe(subscription_of(planned))
        for notification in self.plan.of_type(":Notification"):
            self._announce(notification.inputs)
        for inputs in announced_by_others(trigger.settings["source"] for trigger in self.triggers):
            self._announce(inputs)

    def _announce(self, notification: Mapping[str, Any]) -> None:
        """Has a bucket's events told to a topic, by a notification's inputs."""
        if notification["bucket"] not in self.storage.buckets:  # it was there before the stack
            self.storage.create_bucket(notification["bucket"])
        self.storage.add_notification(
            notification["bucket"],
            notification["topic"],
            prefix=notification.get("objectNamePrefix", ""),
            event_types=notification["eventTypes"],
            payload_format=notification["payloadFormat"],
        )

    def _start_trigger(self, planned: Resource, subscription: Resource) -> RunningTrigger:
        name = planned.inputs["labels"]["trigger"]
        service = planned.inputs["serviceConfig"]
        settings = json.loads(service["environmentVariables"]["TRIGGER"])
        endpoint = self._reach(settings["target"])
        settings["lease_seconds"] = LEASE_SECONDS
        email, lifetime = service["serviceAccountEmail"], self._token_lifetime
        metadata = MetadataServer(email, self.plan.project, tokens=self.tokens, lifetime=lifetime)
        metadata_host = self.loopback.serve(metadata.app).removeprefix("http://")

        source = Path(
            self._exits.enter_context(tempfile.TemporaryDirectory(prefix=f"{name}-launcher-", dir=scratch()))
        )
        unpack(self.plan.archive_of(planned), ROOT / "infra", source)
        self._say(f"Installing what the launcher of {name} requires (the first time only)")
        python = install(source, CACHE)
        self._say(f"Starting the launcher of {name}")
        function = Function(
            python,
            source,
            {
                **service["environmentVariables"],
                "TRIGGER": json.dumps(settings),
                "STORAGE_EMULATOR_HOST": self.storage_url,
                "GCE_METADATA_HOST": metadata_host,
                "IAM_CREDENTIALS_EMULATOR_HOST": self._iam_credentials_url,
            },
            lambda entry: self.happenings.put(LogLine(name, entry)),
        )
        self._exits.callback(function.stop)
        push = subscription_of(subscription, push_endpoint=function.url)
        self.pubsub.subscribe(push)
        return RunningTrigger(
            name, may_read(self.plan, settings["source"].get("bucket")), settings, function, push, endpoint
        )

    def _publish(self, topic: str, data: bytes, attributes: Mapping[str, str]) -> None:
        self.pubsub.publish(topic, data, attributes)

    def _reach(self, target: dict[str, Any]) -> RunBook:
        """The stand-in for a target, which is from then on at another address; triggers with one target share one."""
        key = "api_endpoint" if target["kind"] == "vertex" else "host"
        address = target[key]
        if address not in self._endpoints:
            endpoint = self._vertex(target) if target["kind"] == "vertex" else self._kfp(target)
            endpoint.listeners.append(self.happenings.put)
            path = urlsplit(address).path
            url = self.loopback.serve(Below(endpoint.app, path) if path else endpoint.app)
            self._endpoints[address], self._endpoint_urls[address] = endpoint, f"{url}{path}"
        target[key] = self._endpoint_urls[address]
        found, look = self._endpoints[address], target.get("workflows")
        if look and isinstance(found, KfpEndpoint):
            look["endpoint"] = self._cluster(found, look)
        return found

    def _cluster(self, endpoint: KfpEndpoint, look: Mapping[str, str]) -> str:
        """Where the Kubernetes API of an endpoint's cluster is; what a Role there would allow is allowed."""
        kubernetes, address = endpoint.kubernetes, look["endpoint"]
        kubernetes.namespace, kubernetes.principal = look["namespace"], self.tokens.principal
        kubernetes.may_connect = self._permissions.may_connect
        if address not in self._endpoint_urls:
            self._endpoint_urls[address] = self.loopback.serve(kubernetes.app)
        return self._endpoint_urls[address]

    def _kfp(self, target: Mapping[str, str]) -> KfpEndpoint:
        executor = RunExecutor(self.storage_url, self._metadata, in_pods=True, kept=self._kept)
        pace = Pace(LEASE_SECONDS / LEASE_IN_PRODUCTION)
        if target["credentials"] == "id-token":
            guard = IdentityAwareProxy(self.tokens, target["audience"], self._permissions.may_pass_iap)
            return KfpEndpoint(None, executor, guard=guard, pace=pace)
        # Not behind the proxy's agent: at this pace it would wait for 0.4 s, and a busy machine takes longer.
        hosted = AccessTokens(self.tokens.principal) if target["credentials"] == "access-token" else None
        return KfpEndpoint(None, executor, guard=hosted, pace=pace)

    def _vertex(self, target: Mapping[str, str]) -> VertexEndpoint:
        may = self._permissions
        executor = RunExecutor(self.storage_url, self._metadata, kept=self._kept)
        return VertexEndpoint(
            target["location"], self.tokens.principal, may.may_create_jobs, may.may_act_as, executor
        )
