"""Between a Workflow and its row the caller may go, the server die and the database take nothing."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from starlette.types import ASGIApp, Message

from rehearsal.kfp import hosted
from rehearsal.kfp.cluster import Trouble
from rehearsal.kfp.database import Health
from rehearsal.kfp.pace import BURST, Pace
from rehearsal.kfp.server import KfpEndpoint

RUNS = "/apis/v2beta1/runs"
PACKAGE = {"pipelineInfo": {"name": "empty"}, "root": {"dag": {"tasks": {}}}, "schemaVersion": "2.1.0"}
pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@dataclass
class Call:
    """A request under way. ``sent`` is what was answered; :meth:`hang_up` closes the connection."""

    app: ASGIApp
    method: str
    path: str
    body: dict[str, Any] | None = None
    sent: list[Message] = field(default_factory=list)

    def __post_init__(self) -> None:
        text = json.dumps(self.body).encode() if self.body is not None else b""
        self._heard = asyncio.Queue[Message]()
        self._heard.put_nowait({"type": "http.request", "body": text, "more_body": False})
        self.task = asyncio.ensure_future(self.app(self._scope(), self._heard.get, self._send))

    def _scope(self) -> dict[str, Any]:
        path, _, query = self.path.partition("?")
        scope = {
            "type": "http",
            "http_version": "1.1",
            "method": self.method,
            "path": path,
            "raw_path": path.encode(),
        }
        server = {"scheme": "http", "server": ("kfp", 80), "root_path": "", "query_string": query.encode()}
        return {**scope, **server, "headers": [(b"authorization", b"Bearer token")]}

    async def _send(self, message: Message) -> None:
        self.sent.append(message)

    def hang_up(self) -> None:
        self._heard.put_nowait({"type": "http.disconnect"})

    async def status(self) -> int:
        """What was answered; 0 if the connection broke."""
        await self.task
        return int(self.sent[0]["status"]) if self.sent[-1]["type"] == "http.response.body" else 0

    @property
    def json(self) -> dict[str, Any]:
        return dict(json.loads(b"".join(message.get("body", b"") for message in self.sent)))


@dataclass
class Server:
    """A server whose waits last until the test lets them end: ``waits`` are those under way, by their length."""

    principal: Callable[[str], str | None] | None = None
    endpoint: KfpEndpoint = field(init=False)
    waits: list[tuple[float, asyncio.Event]] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        self.endpoint = KfpEndpoint(self.principal, pace=Pace(clock=lambda: 1000.0, sleep=self._sleep))

    async def _sleep(self, seconds: float) -> None:
        wait = seconds, asyncio.Event()
        self.waits.append(wait)
        try:
            await wait[1].wait()
        finally:
            self.waits.remove(wait)

    def start(self, run_id: str, **fields: Any) -> Call:
        body = {"run_id": run_id, "display_name": "r", "pipeline_spec": PACKAGE, **fields}
        return Call(self.endpoint.app, "POST", RUNS, body)

    async def get(self, run_id: str) -> int:
        return await Call(self.endpoint.app, "GET", f"{RUNS}/{run_id}").status()

    def start_many(self, count: int = BURST) -> list[Call]:
        """As many as go at once, or more."""
        return [self.start(f"run-{number:03}") for number in range(count)]

    async def settle(self) -> None:
        """Lets everything go on until it waits for something."""
        for _ in range(20):
            await asyncio.sleep(0)

    async def let_go(self, *calls: Call) -> list[int]:
        """Ends all waits, and those that follow, until the calls are answered."""
        while not all(call.task.done() for call in calls):
            for _, event in self.waits:
                event.set()
            await asyncio.sleep(0)
        return [await call.status() for call in calls]

    @property
    def workflows(self) -> list[str]:
        return [workflow.run_id for workflow in self.endpoint.workflows]

    @property
    def rowless(self) -> list[str]:
        return [workflow.run_id for workflow in self.endpoint.rowless.values()]


@pytest.fixture
def endpoint() -> KfpEndpoint:
    """One that waits for nothing."""
    return KfpEndpoint(None, pace=Pace(0))


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def behind_the_proxy() -> Server:
    return Server(lambda _: "launcher")


async def test_what_is_given_up_before_its_turn_starts_nothing(server: Server) -> None:
    first, late = server.start_many(), server.start("late")
    await server.settle()
    late.hang_up()
    await late.task
    assert await server.let_go(*first) == [200] * BURST
    assert "late" not in server.workflows
    assert await server.get("late") == 404


async def test_what_is_given_up_while_its_workflow_is_being_stored_runs_without_a_row_for_ever(
    server: Server,
) -> None:
    call = server.start("orphan")
    await server.settle()
    call.hang_up()
    await call.task
    assert (server.workflows, server.rowless) == (["orphan"], ["orphan"])
    assert await server.get("orphan") == 404
    again = server.start("orphan")
    assert await server.let_go(again) == [200]
    assert (server.workflows, server.rowless) == (["orphan", "orphan"], ["orphan"])
    assert await server.get("orphan") == 200


async def test_who_waits_gets_a_row_however_long_the_queue_is(server: Server) -> None:
    calls = server.start_many(30)
    assert await server.let_go(*calls) == [200] * 30
    assert (len(server.workflows), server.rowless) == (30, [])


async def test_a_server_that_dies_breaks_off_all_and_leaves_workflows_without_rows(server: Server) -> None:
    first, late = server.start_many(), server.start("late")
    await server.settle()
    server.endpoint.process.die()
    assert [await call.status() for call in (*first, late)] == [0] * (BURST + 1)
    assert sorted(server.rowless) == [f"run-{number:03}" for number in range(BURST)]
    assert await server.let_go(server.start("next")) == [200]


async def test_a_server_that_is_away_answers_nobody(server: Server) -> None:
    server.endpoint.process.die(away=10)
    assert await server.get("any") == 0


@pytest.mark.parametrize("trouble", Trouble)
async def test_trouble_between_a_workflow_and_its_row_leaves_none(endpoint: KfpEndpoint, trouble: Trouble) -> None:
    endpoint.trouble = {"unlucky": trouble}.get
    body = {"run_id": "unlucky", "display_name": "r", "pipeline_spec": PACKAGE}
    status = await Call(endpoint.app, "POST", RUNS, body).status()
    assert status == (0 if trouble is Trouble.DIES else 500)
    assert [workflow.run_id for workflow in endpoint.rowless.values()] == ["unlucky"]
    assert await Call(endpoint.app, "GET", f"{RUNS}/unlucky").status() == 404
    assert await Call(endpoint.app, "POST", RUNS, {**body, "run_id": "lucky"}).status() == 200


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"display_name": "🎉"}, "1366"),
        ({"description": "🎉"}, "1366"),
        ({"runtime_config": {"parameters": {"text": "🎉"}}}, "1366"),
        ({"display_name": "n" * 256}, "1406"),
        ({"description": "é" * 256}, "1406"),
    ],
    ids=["name", "description", "parameter", "long name", "long description"],
)
async def test_what_the_row_does_not_take_runs_without_one(
    endpoint: KfpEndpoint, fields: dict[str, Any], error: str
) -> None:
    inputs = {"inputDefinitions": {"parameters": {"text": {"parameterType": "STRING", "isOptional": True}}}}
    package = {**PACKAGE, "root": {**PACKAGE["root"], **inputs}}  # type: ignore[dict-item]  # PACKAGE is of all kinds
    body = {"run_id": "odd", "display_name": "r", "pipeline_spec": package, **fields}
    call = Call(endpoint.app, "POST", RUNS, body)
    assert (await call.status(), call.json["code"]) == (500, 13)
    assert "Failed to store run" in call.json["message"]
    assert f"Error {error} " in call.json["message"]
    assert len(endpoint.rowless) == 1
    endpoint.database.utf8mb4 = True
    assert await Call(endpoint.app, "POST", RUNS, body).status() == (200 if error == "1366" else 500)


async def test_a_second_of_an_id_is_a_second_workflow_and_no_row(endpoint: KfpEndpoint) -> None:
    body = {"run_id": "twice", "display_name": "r", "pipeline_spec": PACKAGE}
    assert await Call(endpoint.app, "POST", RUNS, body).status() == 200
    second = Call(endpoint.app, "POST", RUNS, {**body, "run_id": "TWICE"})
    assert await second.status() == 500
    assert "Error 1062 (23000): Duplicate entry 'TWICE' for key 'PRIMARY'" in second.json["message"]
    assert [workflow.run_id for workflow in endpoint.rowless.values()] == ["TWICE"]


async def test_a_database_that_takes_nothing_is_found_out_after_the_workflow_and_one_that_is_dead_before(
    endpoint: KfpEndpoint,
) -> None:
    body = {"run_id": "any", "display_name": "r", "pipeline_spec": PACKAGE}
    endpoint.database.health = Health.READ_ONLY
    assert await Call(endpoint.app, "POST", RUNS, body).status() == 500
    assert len(endpoint.rowless) == 1
    endpoint.database.health = Health.DEAD
    assert await Call(endpoint.app, "POST", RUNS, body).status() == 500
    assert await Call(endpoint.app, "GET", f"{RUNS}/any").status() == 500
    assert await Call(endpoint.app, "GET", "/apis/v2beta1/healthz").status() == 200
    assert len(endpoint.workflows) == 1


# --- the inverting proxy -------------------------------------------------------------------------------------------


async def test_the_proxy_says_504_and_the_agent_goes_on(
    monkeypatch: pytest.MonkeyPatch, behind_the_proxy: Server
) -> None:
    monkeypatch.setattr(hosted, "PROXY_WAITS", 0.01)
    server = behind_the_proxy
    call = server.start("slow")
    assert await call.status() == 504
    assert server.workflows == []
    monkeypatch.setattr(hosted, "PROXY_WAITS", 60.0)
    while await server.get("slow") == 404:
        for _, event in server.waits:
            event.set()
    assert (server.workflows, server.rowless) == (["slow"], [])


async def test_what_the_agent_gives_up_is_dropped_by_the_server(
    monkeypatch: pytest.MonkeyPatch, behind_the_proxy: Server
) -> None:
    monkeypatch.setattr(hosted, "PROXY_WAITS", 0.01)
    monkeypatch.setattr(hosted, "AGENT_WAITS", 0.02)
    server = behind_the_proxy
    calls = server.start_many(BURST + 1)
    assert {await call.status() for call in calls} <= {502, 504}
    await asyncio.gather(*server.endpoint.proxy._forwards.values())
    await server.settle()
    assert sorted(server.rowless) == [f"run-{number:03}" for number in range(BURST)]


async def test_who_hangs_up_at_the_proxy_stops_nothing(behind_the_proxy: Server) -> None:
    server = behind_the_proxy
    call = server.start("given-up")
    await server.settle()
    call.hang_up()
    await server.let_go(call)
    assert await server.get("given-up") == 200


async def test_an_agent_that_restarts_forwards_again_what_has_no_answer(behind_the_proxy: Server) -> None:
    server = behind_the_proxy
    call = server.start("twice")
    await server.settle()
    server.endpoint.proxy.restart_agent()
    assert await server.let_go(call) == [200]
    assert (server.workflows, len(server.rowless)) == (["twice", "twice"], 1)


async def test_no_more_than_a_hundred_requests_are_under_way_in_the_cluster(behind_the_proxy: Server) -> None:
    server = behind_the_proxy
    calls = server.start_many(120)
    await server.settle()
    assert len(server.waits) == 100
    assert await server.let_go(*calls) == [200] * 120


async def test_a_state_is_cached_by_its_url_until_the_url_is_another() -> None:
    endpoint = KfpEndpoint(lambda _: "launcher", pace=Pace(0))
    body = {"run_id": "seen", "display_name": "r", "pipeline_spec": PACKAGE}
    assert await Call(endpoint.app, "GET", f"{RUNS}/seen").status() == 404
    assert await Call(endpoint.app, "POST", RUNS, body).status() == 200

    async def state(query: str) -> str:
        call = Call(endpoint.app, "GET", f"{RUNS}/seen{query}")
        await call.status()
        return str(call.json["state"])

    assert await state("") == "PENDING"
    endpoint._find_run("seen").enter("RUNNING")
    assert (await state(""), await state("?look=2")) == ("PENDING", "RUNNING")
