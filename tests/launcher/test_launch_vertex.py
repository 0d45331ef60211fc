"""At a target that takes no run's id twice, an event starts one job whatever happens, with no claim."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import pytest
from starlette.responses import JSONResponse, Response

from function_src.launcher import ledger
from function_src.launcher.delivery import Delivery as Handled
from function_src.launcher.delivery import Outcome
from function_src.launcher.launch import Launcher
from function_src.launcher.mapping.parameters import read_parameter
from function_src.launcher.package import read_package
from function_src.launcher.run import Run, UnavailableError
from function_src.launcher.settings import Trigger, VertexTarget
from function_src.launcher.sources import GcsSource
from function_src.launcher.vertex import Endpoint
from rehearsal.google.errors import google_error
from rehearsal.google.storage import Storage
from rehearsal.loopback import Loopback
from rehearsal.vertex import VertexEndpoint
from tests.conftest import Serve
from tests.launcher.conftest import Identity
from tests.launcher.deliveries import TRIGGER_ID, Delivery, as_json, push
from tests.launcher.wire import Wire, page, shown

BUCKET, LEDGER, RUNNER = "acme-incoming", "launch-ledger", "runner@acme-ml-dev.iam.gserviceaccount.com"
LAUNCHER = "launcher@acme-ml-dev.iam.gserviceaccount.com"
JOBS = "/v1/projects/acme-ml-dev/locations/us-central1/pipelineJobs"
SPEC = {
    "pipelineInfo": {"name": "echo"},
    "root": {"inputDefinitions": {"parameters": {"filename": {"parameterType": "STRING"}}}},
    "schemaVersion": "2.1.0",
}


class Killed(BaseException):
    """The process is gone, in the middle of what it was at."""


@dataclass
class World:
    """All that a launcher talks to."""

    loopback: Loopback
    storage: Storage
    ledger: Wire
    vertex: VertexEndpoint
    jobs: Wire
    url: str
    grants: set[str] = field(default_factory=lambda: {"acme-ml-dev", RUNNER})

    def launcher(self, filename: str = "object.uri") -> Launcher:
        """A new process's launcher."""
        target = VertexTarget(self.url, "acme-ml-dev", "us-central1", "gs://acme-runs/out", RUNNER, {})
        trigger = Trigger(
            id=TRIGGER_ID,
            source=GcsSource(BUCKET, ""),
            parameters={"filename": read_parameter("filename", filename)},
            content_limit=1000,
            ledger=LEDGER,
            lease_seconds=60.0,
            target=target,
        )
        return Launcher(trigger, read_package(as_json(SPEC)))

    def upload(self, name: str = "a.csv", body: bytes = b"a.csv") -> Delivery:
        return push(self.loopback.call(self.storage.write, BUCKET, name, body))

    @property
    def started(self) -> list[str]:
        """The jobs that were ever started, by id: what "exactly once" is about."""
        return [workflow.run_id for workflow in self.vertex.workflows]

    def record(self, handled: Handled) -> dict[str, Any]:
        found = self.loopback.call(self.storage.get, LEDGER, f"outcomes/echo/{handled.key}")
        return dict(json.loads(found.body))


@pytest.fixture
def world(loopback: Loopback, serve: Serve, identity: Identity, monkeypatch: pytest.MonkeyPatch) -> World:
    storage = Storage(lambda *_: None)
    storage.create_bucket(BUCKET)
    storage.create_bucket(LEDGER)
    grants = {"acme-ml-dev", RUNNER}

    def granted(caller: str, on: str) -> bool:
        return caller == LAUNCHER and on in grants

    vertex = VertexEndpoint("us-central1", identity.tokens.principal, granted, granted)
    ledger, jobs = Wire(storage.app), Wire(vertex.app)
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", serve(ledger))
    return World(loopback, storage, ledger, vertex, jobs, serve(jobs), grants)


def test_an_event_starts_one_job_in_three_round_trips(world: World) -> None:
    handled = world.launcher().handle(*world.upload())
    assert (handled.outcome, handled.run_id) == ("launched", f"echo-{handled.key}")
    assert world.started == [handled.run_id]
    assert [seen.path for seen in world.jobs.seen] == [JOBS]
    assert [seen.method for seen in world.ledger.seen] == ["POST", "POST"]
    names = [kept.name for kept in world.storage.bucket(LEDGER).objects.values()]
    assert names == [f"claims/echo/{handled.key}", f"outcomes/echo/{handled.key}"]
    assert world.record(handled)["run_id"] == handled.run_id


def test_a_redelivery_starts_nothing_and_asks_vertex_nothing(world: World) -> None:
    delivery = world.upload()
    outcomes = [world.launcher().handle(*delivery).outcome for _ in range(3)]
    assert outcomes == ["launched", "duplicate", "duplicate"]
    assert len(world.jobs.seen) == 1


def test_deliveries_of_one_event_at_once_start_one_job_and_one_says_so(world: World) -> None:
    launchers, delivery = [world.launcher() for _ in range(4)], world.upload()
    with ThreadPoolExecutor(32) as pool:
        handled = list(pool.map(lambda number: launchers[number % 4].handle(*delivery), range(32)))
    assert {each.outcome for each in handled} <= {"launched", "duplicate"}
    assert len(world.started) == 1
    started = [each for each in handled if each.outcome is Outcome.LAUNCHED]
    assert 1 <= len(started) <= 2, "who started it and, if quicker to say so, who found it started"
    assert world.record(handled[0])["run_id"] == world.started[0]


LOST = [page(200), page(502), page(504), google_error(503, "later"), JSONResponse({}), None]


@pytest.mark.parametrize("answer", LOST, ids=shown)
def test_a_job_that_was_started_in_spite_of_the_answer_is_launched(world: World, answer: Response | None) -> None:
    world.jobs.fail("POST", JOBS, answer, served=True)
    assert world.launcher().handle(*world.upload()).outcome == "launched"
    assert len(world.started) == 1


@pytest.mark.parametrize("answer", LOST, ids=shown)
def test_a_job_that_was_not_started_is_started_by_the_next_delivery(world: World, answer: Response | None) -> None:
    """Nobody waits for a lease: a second POST of an id cannot start a second job."""
    delivery = world.upload()
    world.jobs.fail("POST", JOBS, answer)
    assert [world.launcher().handle(*delivery).outcome for _ in range(3)] == ["retry", "launched", "duplicate"]
    assert len(world.started) == 1


def test_a_job_that_could_not_be_asked_about_is_found_by_the_next_delivery(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unavailable(*_: object) -> bool:
        raise UnavailableError("503")

    delivery = world.upload()
    world.jobs.fail("POST", JOBS, None, served=True)
    with monkeypatch.context() as patch:
        patch.setattr(Endpoint, "has_run", unavailable)
        assert world.launcher().handle(*delivery).outcome == "retry"
    again = world.launcher().handle(*delivery)
    assert (again.outcome, again.reason) == ("launched", "an earlier attempt had started the run")
    assert world.started == [again.run_id]


@pytest.mark.parametrize("filename", ["object.uri", "content"])
def test_a_launch_that_was_not_recorded_stays_one_even_if_the_file_is_gone_by_then(
    world: World, filename: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    delivery = world.upload()
    uploads = f"/upload/storage/v1/b/{LEDGER}/o"
    world.ledger.fail("POST", uploads, JSONResponse({"generation": "1"}), served=True)
    world.ledger.fail("POST", uploads, page(503))
    first = world.launcher(filename).handle(*delivery)
    assert (first.outcome, len(world.started)) == ("retry", 1)
    world.loopback.call(world.storage.delete, BUCKET, "a.csv")
    monkeypatch.setattr(ledger, "CLOCK_RESOLUTION", -1000)  # the lease of the one that reads the file is over
    again = world.launcher(filename).handle(*delivery)
    assert (again.outcome, again.reason) == ("launched", "an earlier attempt had started the run")
    assert world.launcher(filename).handle(*delivery).outcome == "duplicate"
    assert (len(world.started), world.record(again)["outcome"]) == (1, "launched")


def test_an_event_that_one_attempt_launches_is_rejected_by_no_other(world: World) -> None:
    """One has read the file and is about to start the job; the next finds the file gone, and no job yet."""
    delivery, first, second = world.upload(), world.launcher("content"), world.launcher("content")
    start, outcomes = first._endpoint.start, []

    def start_late(run: Run, may_send: Callable[[], bool]) -> str:
        world.loopback.call(world.storage.delete, BUCKET, "a.csv")
        outcomes.append(second.handle(*delivery).outcome)
        return start(run, may_send)

    first._endpoint.start = start_late  # type: ignore[method-assign]  # to stop between two of its steps
    handled = first.handle(*delivery)
    assert (handled.outcome, outcomes) == ("launched", ["retry"])
    assert world.record(handled)["outcome"] == "launched"


def test_what_was_launched_at_vertex_stays_launched_when_the_trigger_gets_another_target(world: World) -> None:
    delivery = world.upload()
    launched = world.launcher().handle(*delivery)
    with pytest.raises(ledger.DecidedError):
        world.launcher()._ledger.claim(launched.key, "gs://acme-incoming/a.csv#1")


def test_a_file_that_is_gone_before_its_job_was_started_is_rejected(world: World) -> None:
    delivery = world.upload()
    world.loopback.call(world.storage.delete, BUCKET, "a.csv")
    assert [world.launcher("content").handle(*delivery).outcome for _ in range(2)] == ["rejected", "duplicate"]
    assert world.started == []


def forbid(world: World) -> None:
    world.grants.remove(RUNNER)


def allow(world: World) -> None:
    world.grants.add(RUNNER)


def throttle(world: World) -> None:
    world.vertex.throttled = True


def unthrottle(world: World) -> None:
    world.vertex.throttled = False


@pytest.mark.parametrize(
    ("break_it", "mend_it", "reason"),
    [
        (forbid, allow, f"permission to act as service_account: {RUNNER}; the function's identity needs"),
        (throttle, unthrottle, "Vertex AI answered 429: Quota exceeded"),
    ],
    ids=["403 actAs", "429"],
)
def test_what_the_environment_does_wrong_is_tried_again(
    world: World, break_it: Callable[[World], None], mend_it: Callable[[World], None], reason: str
) -> None:
    delivery = world.upload()
    break_it(world)
    handled = world.launcher().handle(*delivery)
    assert (handled.outcome, handled.status) == ("retry", 503)
    assert reason in str(handled.reason)
    mend_it(world)
    assert world.launcher().handle(*delivery).outcome == "launched"


def test_what_vertex_says_is_wrong_with_the_job_is_rejected_and_kept(world: World) -> None:
    delivery = world.upload()
    world.jobs.fail("POST", JOBS, google_error(400, "bad parameter"))
    handled = world.launcher().handle(*delivery)
    assert (handled.outcome, handled.reason) == (
        "rejected",
        "Vertex AI answered 400: bad parameter; mend the package or the parameters, then replay",
    )
    assert world.launcher().handle(*delivery).outcome == "duplicate"


def chaotic(world: World, chance: random.Random) -> Callable[..., Any]:
    """Sending as it goes wrong: requests are lost before or after they took effect, refused, or the process dies."""
    from function_src.launcher.http import Api

    send = Api.send

    def unlucky(self: Any, method: str, path: str, **options: Any) -> Any:
        fate = chance.random()
        if fate < 0.1:
            raise Killed
        if fate < 0.2:
            send(self, method, path, **options)
            raise Killed
        if fate < 0.35:
            world.jobs.fail(method, path, chance.choice(LOST), served=chance.random() < 0.5)
            world.ledger.fail(method, path, page(503), served=chance.random() < 0.5)
        return send(self, method, path, **options)

    return unlucky


@pytest.mark.parametrize("seed", range(8))
def test_every_event_starts_exactly_one_job_through_kills_duplicates_and_lost_answers(
    world: World, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance = random.Random(seed)
    deliveries = [world.upload(f"{number}.csv") for number in range(12)]
    waiting = [delivery for delivery in deliveries for _ in range(chance.choice([1, 1, 2, 3]))]

    def deliver(delivery: Delivery) -> int:
        try:
            return world.launcher().handle(*delivery).status
        except Killed:
            return 500

    with monkeypatch.context() as patch:
        patch.setattr("function_src.launcher.http.Api.send", chaotic(world, chance))
        for _ in range(6):
            with ThreadPoolExecutor(8) as pool:
                statuses = list(pool.map(deliver, waiting))
            waiting = [delivery for delivery, status in zip(waiting, statuses, strict=True) if status != 200]
    world.jobs.faults.clear()
    world.ledger.faults.clear()
    final = [world.launcher().handle(*delivery) for delivery in deliveries]
    assert {handled.outcome for handled in final} <= {"launched", "duplicate"}
    assert sorted(world.started) == sorted(str(handled.run_id) for handled in final)
    assert {world.record(handled)["run_id"] for handled in final} == set(world.started)
