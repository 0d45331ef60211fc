"""Each fault does what its name says, and a seed says which fault hits which request."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
import requests
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from rehearsal.chaos.faults import (
    KILLS,
    LOST_RACE,
    MOST_PER_STEP,
    PERMANENT,
    UNSERVED,
    Fault,
    Point,
    Step,
    every_kind,
    kfp_step,
    label,
    seeded,
    seeded_troubles,
    storage_step,
)
from rehearsal.chaos.wire import KFP, KUBERNETES, METADATA, STORAGE, VERTEX, Faults, Service, Wire
from rehearsal.kfp.cluster import Trouble
from rehearsal.loopback import Loopback

POST_RUN = "/apis/v2beta1/runs"
CREATE_CLAIM = (
    "/upload/storage/v1/b/ledger/o?uploadType=media&name=claims%2Facme%2Fdev%2Fecho%2Fk1&ifGenerationMatch=0"
)
PATIENCE = 30
BROKEN = "broken"


@dataclass
class Bench:
    """A service that counts what it does, behind a wire. The first request of each step meets the fault."""

    loopback: Loopback
    service: Service
    fault: Fault | None
    kill: Callable[[], bool] = lambda: False
    status: int = 200
    commits: int = 0
    faults: Faults = field(init=False)
    url: str = field(init=False)

    def __post_init__(self) -> None:
        self.faults = Faults(lambda _, number: None if number else self.fault)
        self.url = self.loopback.serve(
            Wire(self._commit, self.service, self.faults, kill=lambda: self.kill(), delay=0.2)
        )

    async def _commit(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert await Request(scope, receive).json() == {"run_id": "r1"}
        self.commits += 1
        await JSONResponse({"committed": True}, self.status)(scope, receive, send)

    def post(self, path: str, timeout: float = PATIENCE) -> requests.Response:
        return requests.post(self.url + path, json={"run_id": "r1"}, timeout=timeout, allow_redirects=False)

    def heard(self, path: str) -> int | str:
        """The status that the client hears, or that the connection broke."""
        try:
            return self.post(path).status_code
        except (requests.ConnectionError, requests.exceptions.ChunkedEncodingError):
            return BROKEN


@pytest.mark.parametrize(
    ("service", "path", "fault", "heard", "commits"),
    [
        (KFP, POST_RUN, Fault.DROPPED_BEFORE, BROKEN, 0),
        (KFP, POST_RUN, Fault.DROPPED_AFTER, BROKEN, 1),
        (KFP, POST_RUN, Fault.REDIRECT, 302, 0),
        (KFP, POST_RUN, Fault.LOGIN, 200, 0),
        (KFP, POST_RUN, Fault.UNAUTHORIZED, 401, 0),
        (KFP, POST_RUN, Fault.FORBIDDEN, 403, 0),
        (KFP, POST_RUN, Fault.TOO_MANY, 429, 0),
        (KFP, POST_RUN, Fault.ERROR_BEFORE, 500, 0),
        (KFP, POST_RUN, Fault.ERROR_AFTER, 500, 1),
        (KFP, POST_RUN, Fault.UNAVAILABLE_BEFORE, 503, 0),
        (KFP, POST_RUN, Fault.UNAVAILABLE_AFTER, 503, 1),
        (KFP, POST_RUN, Fault.TIMEOUT_AFTER, 504, 1),
        (KFP, POST_RUN, Fault.EXISTS_AFTER, 409, 1),
        (KFP, POST_RUN, Fault.ABORTED, 409, 0),
        (KFP, POST_RUN, Fault.BAD_REQUEST, 400, 0),
        (KFP, POST_RUN, Fault.CUT_OFF, 200, 1),
        (STORAGE, CREATE_CLAIM, Fault.CUT_OFF, 200, 1),
        (STORAGE, CREATE_CLAIM, Fault.DROPPED_BEFORE, BROKEN, 0),
        (STORAGE, CREATE_CLAIM, Fault.DROPPED_AFTER, BROKEN, 1),
        (STORAGE, CREATE_CLAIM, Fault.TOO_MANY, 429, 0),
        (STORAGE, CREATE_CLAIM, Fault.UNAVAILABLE_BEFORE, 503, 0),
        (STORAGE, CREATE_CLAIM, Fault.UNAVAILABLE_AFTER, 503, 1),
    ],
)
def test_a_fault_hides_what_was_done_and_hits_once(
    loopback: Loopback, service: Service, path: str, fault: Fault, heard: int | str, commits: int
) -> None:
    bench = Bench(loopback, service, fault)
    assert (bench.heard(path), bench.commits) == (heard, commits)
    assert (bench.heard(path), bench.commits) == (200, commits + 1)
    assert list(bench.faults.injected.values()) == [1]


def test_every_fault_of_a_service_is_one_of_those_above_or_slow() -> None:
    assert set(KFP.lies) == set(Fault) - {Fault.SLOW, Fault.CUT_OFF, *KILLS}
    assert set(STORAGE.lies) <= set(KFP.lies)
    assert set(METADATA.lies) <= set(KFP.lies)


def test_what_reaches_a_service_is_counted_as_served() -> None:
    for service in (KFP, VERTEX, STORAGE, KUBERNETES, METADATA):
        assert {fault for fault, lie in service.lies.items() if not lie.commits} == service.lies.keys() & UNSERVED


def test_half_an_answer_is_half_of_a_whole_one(loopback: Loopback) -> None:
    """Its length is right, so that no client notices before it reads it."""
    answer = Bench(loopback, KFP, Fault.CUT_OFF).post(POST_RUN)
    assert '{"committed":true}'.startswith(answer.text)
    assert 0 < len(answer.content) == int(answer.headers["Content-Length"]) < len('{"committed":true}')
    with pytest.raises(requests.exceptions.JSONDecodeError):
        answer.json()


@pytest.mark.parametrize(
    ("fault", "body"),
    [
        (Fault.LOGIN, "<title>Sign in</title>"),
        (Fault.UNAUTHORIZED, "Error 401 (Unauthorized)!!1"),
        (Fault.FORBIDDEN, "forbidden"),
    ],
)
def test_the_proxy_speaks_to_people(loopback: Loopback, fault: Fault, body: str) -> None:
    answer = Bench(loopback, KFP, fault).post(POST_RUN)
    assert body in answer.text
    assert "json" not in answer.headers["content-type"]


@pytest.mark.parametrize(
    ("fault", "code"), [(Fault.EXISTS_AFTER, 6), (Fault.ABORTED, 10), (Fault.UNAVAILABLE_AFTER, 14)]
)
def test_the_server_s_errors_carry_its_own_code(loopback: Loopback, fault: Fault, code: int) -> None:
    assert Bench(loopback, KFP, fault).post(POST_RUN).json()["code"] == code


def test_what_is_slow_is_done_although_the_client_has_given_up(loopback: Loopback) -> None:
    bench = Bench(loopback, KFP, Fault.SLOW)
    with pytest.raises(requests.ReadTimeout):
        bench.post(POST_RUN, timeout=0.01)
    loopback.run(bench.faults.settle())
    assert bench.commits == 1


@pytest.mark.parametrize(("fault", "commits"), [(Fault.KILLED_BEFORE, 0), (Fault.KILLED_AFTER, 1)])
def test_a_kill_ends_the_process_that_asks_and_it_never_hears_an_answer(
    loopback: Loopback, fault: Fault, commits: int
) -> None:
    bench = Bench(loopback, KFP, fault)
    program = f"import requests; requests.post({bench.url + POST_RUN!r}, json={{'run_id': 'r1'}}); print('answered')"
    client = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)

    def kill() -> bool:
        client.kill()
        return True

    bench.kill = kill
    output, _ = client.communicate(timeout=PATIENCE)
    assert output == ""
    assert client.returncode == -9
    assert bench.commits == commits
    assert bench.faults.injected == {label(Point.POST, fault): 1}


def test_requests_that_no_launch_makes_pass(loopback: Loopback) -> None:
    bench = Bench(loopback, STORAGE, Fault.DROPPED_BEFORE)
    assert bench.heard("/upload/storage/v1/b/bucket/o?name=incoming%2Fclaims%2Fa") == 200
    assert not bench.faults.injected


def test_a_lost_race_is_counted_where_it_happens(loopback: Loopback) -> None:
    bench = Bench(loopback, STORAGE, None, status=412)
    assert bench.heard(CREATE_CLAIM) == 412
    assert bench.faults.injected == {LOST_RACE: 1}


@pytest.mark.parametrize(
    ("method", "path", "query", "step"),
    [
        (
            "POST",
            "/upload/storage/v1/b/l/o",
            "uploadType=media&name=claims%2Fp%2Fs%2Ft%2Fk",
            (Point.CLAIM, "p/s/t/k"),
        ),
        ("GET", "/storage/v1/b/l/o/claims%2Fp%2Fs%2Ft%2Fk", "", (Point.READ_CLAIM, "p/s/t/k")),
        ("DELETE", "/storage/v1/b/l/o/claims%2Fk", "ifGenerationMatch=7", (Point.RELEASE, "k")),
        ("POST", "/upload/storage/v1/b/l/o", "name=outcomes%2Fk", (Point.OUTCOME, "k")),
        ("GET", "/storage/v1/b/l/o/outcomes%2Fk", "alt=media", (Point.READ_OUTCOME, "k")),
        ("GET", "/storage/v1/b/l/o", "prefix=claims%2F", None),
        ("GET", "/storage/v1/b/l/o/incoming%2Fk", "", None),
        ("GET", "/storage/v1/b/l/o/incoming%2Fk", "alt=media&generation=7", (Point.READ_FILE, "incoming/k")),
    ],
)
def test_a_request_to_storage_is_known_by_its_object(
    method: str, path: str, query: str, step: tuple[Point, str] | None
) -> None:
    assert storage_step(method, path, query, b"") == step


@pytest.mark.parametrize(
    ("method", "path", "step"),
    [
        ("POST", "/apis/v2beta1/runs", (Point.POST, "r1")),
        ("GET", "/apis/v2beta1/runs/r1", (Point.GET, "r1")),
        ("GET", "/apis/v2beta1/experiments", (Point.EXPERIMENT, "")),
        ("POST", "/apis/v2beta1/experiments", (Point.EXPERIMENT, "")),
        ("GET", "/apis/v2beta1/runs", None),
        ("GET", "/apis/v2beta1/healthz", None),
    ],
)
def test_a_request_to_kfp_is_known_by_its_run(method: str, path: str, step: tuple[Point, str] | None) -> None:
    assert kfp_step(method, path, "", b'{"run_id": "r1"}') == step


def drawn(seed: int, events: int = 2000) -> list[tuple[str, Fault]]:
    plan = seeded(seed)
    steps = [Step(point, f"event-{number}") for point in Point for number in range(events)]
    found = [(step, plan(step, number)) for step in steps for number in range(MOST_PER_STEP)]
    return [(label(step.point, fault), fault) for step, fault in found if fault]


def test_a_seed_says_what_happens_in_every_process_and_for_ever() -> None:
    plan = seeded(1)
    faults = {number: plan(Step(Point.POST, f"run-{number}"), 0) for number in range(31)}
    assert {number: fault for number, fault in faults.items() if fault} == {
        5: Fault.REDIRECT,
        8: Fault.FORBIDDEN,
        19: Fault.ERROR_AFTER,
        23: Fault.REDIRECT,
        25: Fault.SLOW,
        26: Fault.FORBIDDEN,
        27: Fault.ERROR_BEFORE,
        30: Fault.KILLED_BEFORE,
    }


def test_seeds_differ() -> None:
    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_seed_draws_every_kind_but_those_that_would_rightly_reject_the_event(seed: int) -> None:
    found = drawn(seed)
    kinds = every_kind(kfp=False, hosted=False, files=True, looks=True)
    assert {kind for kind, _ in found} == set(kinds) - {LOST_RACE}
    assert not {fault for _, fault in found} & set(PERMANENT)
    assert not {kind for kind, _ in found} & {label(Point.READ_CLAIM, fault) for fault in KILLS}


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_seed_draws_every_trouble_of_a_server_and_always_the_same(seed: int) -> None:
    plan, again = seeded_troubles(seed), seeded_troubles(seed)
    found = [plan(f"run-{number}", 0) for number in range(1000)]
    assert set(found) == {None, *Trouble}
    assert found == [again(f"run-{number}", 0) for number in range(1000)]
    assert 10 < sum(one is not None for one in found) < 60


def test_faults_stop_hitting_an_event() -> None:
    plan = seeded(1)
    assert not any(plan(Step(point, f"event-{number}"), MOST_PER_STEP) for point in Point for number in range(2000))
