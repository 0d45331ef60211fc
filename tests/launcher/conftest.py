"""The stand-ins that the launcher talks to, each behind a wire."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from function_src.launcher.pace import Pace
from rehearsal.google.metadata import MetadataServer, Tokens
from rehearsal.google.storage import Storage
from rehearsal.kfp.pace import Pace as EndpointPace
from rehearsal.kfp.server import KfpEndpoint
from rehearsal.loopback import HOST, Loopback
from tests.conftest import Clock, Serve
from tests.launcher.wire import Wire
from tests.launcher.world import BUCKET, LEDGER, World

LIFETIME = 3600
TIMEOUT = 10.0


@dataclass
class Identity:
    """The service account that the code under test runs as. ``url`` is its metadata server's."""

    wire: Wire
    url: str
    tokens: Tokens
    clock: Clock

    @property
    def refreshes(self) -> int:
        """How often a token was asked for."""
        return self.wire.count("GET", "/token")

    @property
    def issued(self) -> list[str]:
        """The tokens that were given out."""
        return list(self.tokens._issued)

    def revoke(self) -> None:
        """Makes every token worthless that was given out. Who holds one cannot know."""
        self.clock.now += LIFETIME


@dataclass
class HangUp:
    """A server that reads each request to its end and hangs up."""

    host: str = ""
    heads: list[bytes] = field(default_factory=list)

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        self.heads.append(head)
        fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:] if line)
        await reader.readexactly(int(fields.get(b"content-length", 0)))
        writer.close()


@pytest.fixture
def identity(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> Identity:
    clock = Clock()
    tokens = Tokens(clock)
    server = MetadataServer("launcher@acme-ml-dev.iam.gserviceaccount.com", "acme-ml-dev", tokens=tokens)
    wire = Wire(server.app)
    url = serve(wire)
    monkeypatch.setenv("GCE_METADATA_HOST", url.removeprefix("http://"))
    return Identity(wire, url, tokens, clock)


@pytest.fixture
def hang_up(loopback: Loopback) -> Iterator[HangUp]:
    handler = HangUp()
    server = loopback.run(asyncio.start_server(handler, HOST, 0))
    handler.host = f"http://{HOST}:{server.sockets[0].getsockname()[1]}"
    yield handler
    loopback.call(server.close)


@pytest.fixture
def world(
    loopback: Loopback,
    serve: Serve,
    identity: Identity,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> World:
    storage, kfp = Storage(lambda *_: None), KfpEndpoint(identity.tokens.principal, pace=EndpointPace(0))
    storage.create_bucket(BUCKET)
    storage.create_bucket(LEDGER)
    storage_wire, wire = Wire(storage.app), Wire(kfp.app)
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", serve(storage_wire))
    monkeypatch.setattr(Pace, "after_a_doubt", 0.0)
    return World(loopback, identity, storage, storage_wire, kfp, wire, serve(wire), capsys, monkeypatch)
