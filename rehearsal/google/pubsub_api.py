"""The part of Pub/Sub's REST API with which people publish, and take messages off pull subscriptions."""

from __future__ import annotations

import asyncio
import base64
import uuid
from dataclasses import dataclass
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from rehearsal.google.pubsub import Message, PubSub, Subscription

TOPIC = "/v1/projects/{project}/topics/{topic}"
SUBSCRIPTION = "/v1/projects/{project}/subscriptions/{subscription}"


@dataclass(frozen=True)
class Lease:
    """A message that was pulled, and is given again unless it is acknowledged before ``expiry`` (loop's clock)."""

    subscription: Subscription
    message: Message
    expiry: float


class PubSubApi:
    """To be served with ``Loopback.serve(api.app)``. Pulls never wait, as with ``returnImmediately``."""

    def __init__(self, pubsub: PubSub, time_scale: float) -> None:
        self._pubsub = pubsub
        self._scale = time_scale
        self._leases: dict[str, Lease] = {}
        self.app = Starlette(
            routes=[
                Route(TOPIC + ":publish", self._publish, methods=["POST"]),
                Route(SUBSCRIPTION, self._get),
                Route(SUBSCRIPTION + ":pull", self._pull, methods=["POST"]),
                Route(SUBSCRIPTION + ":acknowledge", self._acknowledge, methods=["POST"]),
                Route(SUBSCRIPTION + ":modifyAckDeadline", self._modify_ack_deadline, methods=["POST"]),
            ],
            exception_handlers={HTTPException: _refuse},  # type: ignore[dict-item]  # typed for any Exception
        )

    async def _get(self, request: Request) -> Response:
        found = self._subscription(request)
        return JSONResponse({"name": found.name, "topic": found.topic, "state": "ACTIVE"})

    async def _publish(self, request: Request) -> Response:
        topic = request.url.path.removeprefix("/v1/").removesuffix(":publish")
        if not self._pubsub.has_topic(topic):
            raise HTTPException(404, f"Resource not found (resource={topic}).")
        messages = (await request.json())["messages"]
        if not all(message.get("data") or message.get("attributes") for message in messages):
            raise HTTPException(400, "Some messages in the request have neither data nor attributes.")
        published = [
            self._pubsub.publish(topic, base64.b64decode(message.get("data", "")), message.get("attributes", {}))
            for message in messages
        ]
        return JSONResponse({"messageIds": published})

    async def _pull(self, request: Request) -> Response:
        subscription = self._pulled(request, "pull")
        self._return_overdue()
        count = int((await request.json())["maxMessages"])
        taken, subscription.kept[:] = subscription.kept[:count], subscription.kept[count:]
        return JSONResponse({"receivedMessages": [self._lease(subscription, message) for message in taken]})

    async def _acknowledge(self, request: Request) -> Response:
        self._pulled(request, "acknowledge")
        for ack_id in (await request.json())["ackIds"]:
            self._leases.pop(ack_id, None)
        return JSONResponse({})

    async def _modify_ack_deadline(self, request: Request) -> Response:
        self._pulled(request, "modifyAckDeadline")
        wanted = await request.json()
        for ack_id in wanted["ackIds"]:
            if lease := self._leases.get(ack_id):
                expiry = _now() + wanted["ackDeadlineSeconds"] * self._scale
                self._leases[ack_id] = Lease(lease.subscription, lease.message, expiry)
        self._return_overdue()
        return JSONResponse({})

    def _subscription(self, request: Request, suffix: str = "") -> Subscription:
        name = request.url.path.removeprefix("/v1/").removesuffix(suffix)
        found = self._pubsub.subscription(name)
        if found is None:
            raise HTTPException(404, f"Resource not found (resource={name}).")
        return found

    def _pulled(self, request: Request, verb: str) -> Subscription:
        found = self._subscription(request, f":{verb}")
        if found.push_endpoint:
            raise HTTPException(400, "This method is not supported for this subscription type.")
        return found

    def _return_overdue(self) -> None:
        for ack_id, lease in list(self._leases.items()):
            if lease.expiry <= _now():
                del self._leases[ack_id]
                lease.subscription.kept.append(lease.message)

    def _lease(self, subscription: Subscription, message: Message) -> dict[str, Any]:
        ack_id = uuid.uuid4().hex
        self._leases[ack_id] = Lease(subscription, message, _now() + subscription.ack_deadline * self._scale)
        sent = {
            "data": base64.b64encode(message.data).decode(),
            "attributes": message.attributes,
            "messageId": message.id,
            "publishTime": message.publish_time,
        }
        return {"ackId": ack_id, "message": sent}


def _now() -> float:
    return asyncio.get_running_loop().time()


async def _refuse(_: Request, error: HTTPException) -> Response:
    status = {400: "INVALID_ARGUMENT", 404: "NOT_FOUND"}[error.status_code]
    body = {"code": error.status_code, "message": error.detail, "status": status}
    return JSONResponse({"error": body}, error.status_code)
