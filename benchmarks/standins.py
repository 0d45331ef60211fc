"""The services that a contestant talks to, as a process of their own, each answer so late as they are told.

``python -m benchmarks.standins`` prints where they are, as a line of JSON, and serves until its standard input ends.
They are the rehearsal's: what a request costs is the contestant's, and what it waits for is the same for each.
"""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import asdict, dataclass

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from rehearsal.google.metadata import MetadataServer
from rehearsal.google.objects import Object
from rehearsal.google.storage import Storage
from rehearsal.kfp.pace import Pace
from rehearsal.kfp.proxy import AccessTokens
from rehearsal.kfp.server import KfpEndpoint
from rehearsal.loopback import Loopback
from rehearsal.vertex import VertexEndpoint

PROJECT, LOCATION = "acme-ml-dev", "us-central1"
ACCOUNT = f"launcher@{PROJECT}.iam.gserviceaccount.com"
BUCKET, LEDGER, OUTPUT = "acme-incoming", "acme-ledger", "acme-pipelines"

JSON = {"contentType": "application/json"}


@dataclass(frozen=True)
class Addresses:
    """Where each of them is, and where they are told what to do."""

    metadata: str
    storage: str
    kfp: str
    vertex: str
    control: str


class Late:
    """An app that can be replaced by another at the same address, answers late, and counts what it is asked."""

    def __init__(self) -> None:
        self.app: ASGIApp
        self.asked = 0
        self.latency = 0.0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers, late."""
        self.asked += 1
        if self.latency:
            await asyncio.sleep(self.latency)
        await self.app(scope, receive, send)


class StandIns:
    """All of them. ``control`` is an app for who measures.

    ``/fresh`` forgets everything, ``/late`` sets for how many seconds each answer is held back, ``/asked`` says how
    often each was asked and counts anew, ``/put`` writes an object of generation 1, and ``/fill`` puts objects under
    a prefix until there are so many.
    """

    def __init__(self) -> None:
        self.late = {name: Late() for name in ("metadata", "storage", "kfp", "vertex")}
        self._storage: Storage
        self._start()
        verbs = {"late": self._late, "fresh": self._fresh, "asked": self._asked, "put": self._put, "fill": self._fill}
        self.control = Starlette(routes=[Route(f"/{verb}", do, methods=["POST"]) for verb, do in verbs.items()])

    def _start(self) -> None:
        metadata = MetadataServer(ACCOUNT, PROJECT)
        principal = metadata.tokens.principal
        self._storage = Storage(lambda *_: None)
        for bucket in (BUCKET, LEDGER, OUTPUT):
            self._storage.create_bucket(bucket)
        kfp = KfpEndpoint(None, guard=AccessTokens(principal), pace=Pace(0))
        vertex = VertexEndpoint(LOCATION, principal, lambda *_: True, lambda *_: True)
        apps: dict[str, ASGIApp] = {
            "metadata": metadata.app,
            "storage": self._storage.app,
            "kfp": kfp.app,
            "vertex": vertex.app,
        }
        for name, app in apps.items():
            self.late[name].app = app

    async def _fresh(self, _: Request) -> Response:
        self._start()
        return Response()

    async def _late(self, request: Request) -> Response:
        for late in self.late.values():
            late.latency = float(request.query_params["seconds"])
        return Response()

    async def _asked(self, _: Request) -> Response:
        asked = {name: late.asked for name, late in self.late.items()}
        for late in self.late.values():
            late.asked = 0
        return JSONResponse(asked)

    async def _put(self, request: Request) -> Response:
        bucket, name = request.query_params["bucket"], request.query_params["name"]
        self._storage.buckets[bucket].objects[name] = Object(bucket, name, 1, 1, await request.body(), JSON)
        return Response()

    async def _fill(self, request: Request) -> Response:
        """Not by writing each as a client would: a million would take minutes."""
        query = request.query_params
        bucket, body = query["bucket"], await request.body()
        objects = self._storage.buckets[bucket].objects
        for number in range(len(objects), int(query["until"])):
            name = f"{query['prefix']}{number}"
            objects[name] = Object(bucket, name, number + 1, number + 1, body, JSON)
        return Response()


def main() -> None:
    """Serves them."""
    stand_ins = StandIns()
    with Loopback() as loopback:
        urls = {name: loopback.serve(late) for name, late in stand_ins.late.items()}
        addresses = Addresses(**urls, control=loopback.serve(stand_ins.control))
        print(json.dumps(asdict(addresses)), flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
