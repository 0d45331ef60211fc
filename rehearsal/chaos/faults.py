"""What can go wrong between a launcher and the services that it calls, and seeded plans of it going wrong.

Pure: :mod:`rehearsal.chaos.wire` carries a plan out.
"""

from __future__ import annotations

import hashlib
import json
import re
import struct
from collections.abc import Callable
from enum import StrEnum
from typing import NamedTuple
from urllib.parse import parse_qs, unquote

from rehearsal.kfp.cluster import Trouble

FAULT_RATE = 0.15
TROUBLE_RATE = 0.03
MOST_PER_STEP = 2
RUN = re.compile(r"/apis/v2beta1/runs(?:/([^/:]+))?")
EXPERIMENTS = "/apis/v2beta1/experiments"
JOB = re.compile(r"/v1/projects/[^/]+/locations/[^/]+/pipelineJobs(?:/([^/]+))?")
WORKFLOWS = re.compile(r"/apis/argoproj\.io/v1alpha1/namespaces/[^/]+/workflows")
LEDGER_OBJECT = re.compile(r"(claims|outcomes)/(.+)", re.DOTALL)
TOKEN = re.compile(r"/computeMetadata/v1/instance/service-accounts/[^/]+/token")


class Point(StrEnum):
    """Where in a launch a request stands."""

    EXPERIMENT = "experiment"
    CLAIM = "claim"
    READ_CLAIM = "read claim"
    RELEASE = "release"
    METADATA = "metadata"
    READ_FILE = "read file"
    POST = "post"
    GET = "get"
    LOOK = "look"
    OUTCOME = "outcome"
    READ_OUTCOME = "read outcome"


TARGET_POINTS = frozenset({Point.EXPERIMENT, Point.POST, Point.GET})
KILL_RATES = {Point.CLAIM: 0.015, Point.POST: 0.015, Point.GET: 0.06, Point.OUTCOME: 0.015}  # few launches need a GET
LEDGER_POINTS = {
    ("POST", "claims"): Point.CLAIM,
    ("GET", "claims"): Point.READ_CLAIM,
    ("DELETE", "claims"): Point.RELEASE,
    ("POST", "outcomes"): Point.OUTCOME,
    ("GET", "outcomes"): Point.READ_OUTCOME,
}


class Step(NamedTuple):
    """A point in the launch of one event. ``subject`` is the event's key or its run's id; empty if it serves all."""

    point: Point
    subject: str


class Fault(StrEnum):
    """What befalls one request. "Commit" is the service doing what it was asked for."""

    DROPPED_BEFORE = "dropped before commit"
    DROPPED_AFTER = "dropped after commit"
    SLOW = "slow, commits after the timeout"
    REDIRECT = "302 to elsewhere"
    LOGIN = "200 with a login page"
    CUT_OFF = "200 with half an answer, after commit"
    UNAUTHORIZED = "401 of the proxy"
    FORBIDDEN = "403 of the proxy"
    TOO_MANY = "429"
    ERROR_BEFORE = "500 before commit"
    ERROR_AFTER = "500 after commit"
    UNAVAILABLE_BEFORE = "503 before commit"
    UNAVAILABLE_AFTER = "503 after commit"
    TIMEOUT_AFTER = "504 after commit"
    EXISTS_AFTER = "409 code 6 after commit"
    ABORTED = "409 code 10"
    BAD_REQUEST = "400"
    KILLED_BEFORE = "killed before commit"
    KILLED_AFTER = "killed after commit"


KILLS = (Fault.KILLED_BEFORE, Fault.KILLED_AFTER)
# By contract an event is `rejected` for these, for ever. Hit by chance it would count as lost, so no plan draws them.
PERMANENT = (Fault.ABORTED, Fault.BAD_REQUEST)
# The service hears nothing of a request that one of these befalls, or does nothing.
UNSERVED = frozenset(
    {
        Fault.DROPPED_BEFORE,
        Fault.REDIRECT,
        Fault.LOGIN,
        Fault.UNAUTHORIZED,
        Fault.FORBIDDEN,
        Fault.TOO_MANY,
        Fault.ERROR_BEFORE,
        Fault.UNAVAILABLE_BEFORE,
        Fault.KILLED_BEFORE,
        *PERMANENT,
    }
)
KFP_FAULTS = tuple(fault for fault in Fault if fault not in (*KILLS, *PERMANENT))
KFP_MENU = (*KFP_FAULTS, Fault.SLOW, Fault.SLOW)  # slow requests alone show that a lease is too short
STORAGE_FAULTS = (
    Fault.DROPPED_BEFORE,
    Fault.DROPPED_AFTER,
    Fault.SLOW,
    Fault.TOO_MANY,
    Fault.UNAVAILABLE_BEFORE,
    Fault.UNAVAILABLE_AFTER,
    Fault.CUT_OFF,
)
METADATA_FAULTS = (Fault.DROPPED_BEFORE, Fault.SLOW, Fault.SLOW, Fault.CUT_OFF)
CLUSTER_FAULTS = (
    Fault.DROPPED_BEFORE,
    Fault.CUT_OFF,
    Fault.SLOW,
    Fault.UNAUTHORIZED,
    Fault.FORBIDDEN,
    Fault.TOO_MANY,
    Fault.UNAVAILABLE_BEFORE,
)
MENUS = {Point.LOOK: CLUSTER_FAULTS, Point.METADATA: METADATA_FAULTS}
LOST_RACE = "storage: 412, another was first"
AGENT_RESTARTS = "proxy: its agent starts anew, and forwards again"

Plan = Callable[[Step, int], Fault | None]
"""What befalls the nth request, from 0, of a step."""


def seeded(seed: int) -> Plan:
    """A plan that hits any request by chance, but each step ``MOST_PER_STEP`` times at most: events get through."""

    def plan(step: Step, number: int) -> Fault | None:
        chance, choice = chances(seed, step.point, step.subject, number)
        kill_rate = KILL_RATES.get(step.point, 0)
        if number >= MOST_PER_STEP or chance >= kill_rate + FAULT_RATE:
            return None
        menu = KFP_MENU if step.point in TARGET_POINTS else STORAGE_FAULTS
        menu = MENUS.get(step.point, menu)
        menu = KILLS if chance < kill_rate else menu
        return menu[int(choice * len(menu))]

    return plan


def seeded_troubles(seed: int) -> Callable[[str, int], Trouble | None]:
    """A plan of what befalls a server between the nth workflow of a run, from 0, and its row."""

    def plan(run_id: str, number: int) -> Trouble | None:
        chance, choice = chances(seed, "trouble", run_id, number)
        return [*Trouble][int(choice * len(Trouble))] if chance < TROUBLE_RATE else None

    return plan


def calm(_step: Step, _number: int) -> None:
    """A plan in which nothing goes wrong."""


def chances(*about: object) -> tuple[float, float]:
    """Two numbers from 0 up to 1, for ever the same about the same thing: a plan needs no memory and no order."""
    digest = hashlib.blake2b(json.dumps([str(part) for part in about]).encode(), digest_size=8).digest()
    first, second = struct.unpack(">II", digest)
    return first / 2**32, second / 2**32


def kfp_step(method: str, path: str, _query: str, body: bytes) -> Step | None:
    """Which step a request to the KFP API is, by its run's id; None for a request that no launch makes."""
    found = RUN.fullmatch(path)
    if path == EXPERIMENTS:
        return Step(Point.EXPERIMENT, "")
    if found and found[1] and method == "GET":
        return Step(Point.GET, found[1])
    if found and not found[1] and method == "POST":
        return Step(Point.POST, json.loads(body)["run_id"])
    return None


def vertex_step(method: str, path: str, query: str, _body: bytes) -> Step | None:
    """Which step a request to Vertex AI is, by its job's id."""
    found = JOB.fullmatch(path)
    if found and found[1] and method == "GET":
        return Step(Point.GET, found[1])
    if found and not found[1] and method == "POST":
        return Step(Point.POST, parse_qs(query)["pipelineJobId"][0])
    return None


def cluster_step(method: str, path: str, query: str, _body: bytes) -> Step | None:
    """Which step a request to the Kubernetes API is, by the run's id that it asks for."""
    if method != "GET" or not WORKFLOWS.fullmatch(path):
        return None
    return Step(Point.LOOK, parse_qs(query)["labelSelector"][0].partition("=")[2])


def metadata_step(_method: str, path: str, _query: str, _body: bytes) -> Step | None:
    """Which step a request to the metadata server is."""
    return Step(Point.METADATA, "") if TOKEN.fullmatch(path) else None


def storage_step(method: str, path: str, query: str, _body: bytes) -> Step | None:
    """Which step a request to Cloud Storage is, by its object's name: the ledger's, or a file's that is read."""
    name = parse_qs(query).get("name", [unquote(path.partition("/o/")[2])])[0]
    if method == "GET" and "generation" in parse_qs(query):
        return Step(Point.READ_FILE, name)
    found = LEDGER_OBJECT.fullmatch(name)
    point = LEDGER_POINTS.get((method, found[1])) if found else None
    return Step(point, found[2]) if found and point else None


PLACES = {Point.LOOK: "cluster", Point.METADATA: "metadata", Point.READ_FILE: "file"}


def label(point: Point, fault: Fault) -> str:
    """What a fault is counted as: a kill by its point, all else by what it befell."""
    if fault in KILLS:
        return f"{point}: {fault}"
    if point in PLACES:
        return f"{PLACES[point]}: {fault}"
    return f"{'target' if point in TARGET_POINTS else 'storage'}: {fault}"


def trouble_label(trouble: Trouble) -> str:
    """What a trouble of the server is counted as."""
    return f"server: {trouble}"


def every_kind(*, kfp: bool, hosted: bool, files: bool, looks: bool = False) -> tuple[str, ...]:
    """The labels of all that befalls launches under a seeded plan: at KFP or not, behind its proxy or not, with files
    that are read or not, and with a look into its cluster or without."""
    return (
        *((trouble_label(trouble) for trouble in Trouble) if kfp else ()),
        *((AGENT_RESTARTS,) if hosted else ()),
        *((label(Point.LOOK, fault) for fault in CLUSTER_FAULTS) if looks else ()),
        *((label(Point.READ_FILE, fault) for fault in STORAGE_FAULTS) if files else ()),
        *dict.fromkeys(label(Point.METADATA, fault) for fault in METADATA_FAULTS),
        *(label(Point.POST, fault) for fault in KFP_FAULTS),
        *(label(Point.OUTCOME, fault) for fault in STORAGE_FAULTS),
        LOST_RACE,
        *(label(point, fault) for point in KILL_RATES for fault in KILLS),
    )
