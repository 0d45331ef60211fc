"""The table of requests, and how they are sent. Nothing here knows whose server it is.

A case leaves nothing behind but what it says: see :class:`Table`, whose ids all begin with what :data:`MARK` says.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
import yaml

HERE = Path(__file__).parent
API = "/apis/v2beta1"
MARK = "cafe0000"
"""How the ids of all runs, experiments and pipelines begin that a table makes: by it they are found again."""
PACKAGE: dict[str, Any] = yaml.safe_load((HERE / "package.yaml").read_text())
PLACEHOLDER = re.compile(r"\$\{([^}*]+)(?:\*(\d+))?\}")
Fields = Mapping[str, Any]


@dataclass(frozen=True)
class Case:
    """One row: a request, those before it, and what a server answers. Workflows are counted by the id ``counts``."""

    name: str
    steps: tuple[Fields, ...]
    expected: Fields
    counts: str
    source: str


@dataclass(frozen=True)
class Answer:
    """What a server said, and how many Workflows there are of the case's id, None where nobody can count them."""

    status: int
    code: int | None
    body: str
    started: int | None

    def differences(self, expected: Fields) -> list[str]:
        """What is not as expected."""
        found = [("status", self.status, expected["status"]), ("code", self.code, expected.get("code"))]
        if "started" in expected and self.started is not None:
            found.append(("started", self.started, expected["started"]))
        fields = self._fields()
        found += [(name, fields.get(name), value) for name, value in expected.get("answer", {}).items()]
        if (field := expected.get("says")) and field not in fields:
            found.append((field, None, "a text"))
        return [f"{name}: {here!r}, not {wanted!r}" for name, here, wanted in found if here != wanted]

    def _fields(self) -> dict[str, Any]:
        try:
            return dict(json.loads(self.body))
        except ValueError:
            return {}


@dataclass
class Server:
    """A server to send cases to. ``count`` tells how many Workflows of a run id there are, if anybody can."""

    host: str
    headers: Mapping[str, str] = field(default_factory=dict)
    count: Callable[[str], int | None] = lambda _: None

    def ask(self, case: Case) -> tuple[Answer, Fields]:
        """Sends a case's requests; returns the last one's answer, and what was expected of it."""
        known = {"id": MARK + str(uuid.uuid4())[len(MARK) :]}
        *before, last = case.steps
        for step in before:
            self._keep(step, self._send(step, known), known)
        response = self._send(last, known)
        code = _code(response)
        started = self.count(fill(case.counts, known))
        return Answer(response.status_code, code, response.text, started), fill(case.expected, known)

    def _send(self, step: Fields, known: Mapping[str, str]) -> requests.Response:
        method, _, path = str(fill(step.get("send", "POST /runs"), known)).partition(" ")
        path = path.removeprefix("/") if path.startswith("//") else API + path
        options: dict[str, Any] = {}
        if "upload" in step:
            content = step.get("content") or json.dumps(PACKAGE)
            options["files"] = {"uploadfile": (step["upload"], content)}
        elif "raw" in step:
            options["data"] = fill(step["raw"], known).encode()
        elif method != "GET" and "json" in step:
            options["json"] = fill(step["json"], known)
        elif "send" not in step:
            # As other clients write it, letter by letter: JSON's escapes would hide what is odd about one.
            options["data"] = json.dumps(fill(_run(step), known), ensure_ascii=False).encode()
        return requests.request(method, self.host + path, headers=dict(self.headers), timeout=120, **options)

    def _keep(self, step: Fields, response: requests.Response, known: dict[str, str]) -> None:
        if "keep" in step:
            known[step["keep"]] = response.json()[step["keep"]]


def _run(step: Fields) -> dict[str, Any]:
    """A run of the package, with what is another in this step. What is null is left out."""
    run = {
        "run_id": "${id}",
        "display_name": "compare",
        "pipeline_spec": PACKAGE | step.get("package", {}),
        "runtime_config": {"parameters": step.get("parameters", {"text": "hi"})},
    } | step.get("run", {})
    return {name: value for name, value in run.items() if value is not None}


def _code(response: requests.Response) -> int | None:
    try:
        code = response.json().get("code")
    except (ValueError, AttributeError):
        return None
    return int(code) if code is not None else None


def fill(value: Any, known: Mapping[str, str]) -> Any:
    """A value with its placeholders filled in: ``${id}``, or a letter so many times."""
    if isinstance(value, str):
        return PLACEHOLDER.sub(lambda found: found[1] * int(found[2]) if found[2] else known[found[1]], value)
    if isinstance(value, dict):
        return {name: fill(item, known) for name, item in value.items()}
    return [fill(item, known) for item in value] if isinstance(value, list) else value


def cases() -> Iterator[Case]:
    """All of the table, by what they are about."""
    table = yaml.safe_load((HERE / "requests.yaml").read_text())
    for about, rows in table.items():
        for row in rows:
            expected = {name: row[name] for name in ("status", "code", "started", "answer", "says") if name in row}
            last = {name: value for name, value in row.items() if name not in ("what", "before", "source", *expected)}
            steps = (*row.get("before", ()), last)
            yield Case(f"{about}: {row['what']}", steps, expected, row.get("counts", "${id}"), row["source"])


def clean_up(server: Server) -> None:
    """Deletes what tables have left at a server, by the mark of their ids. Workflows without a row stay."""
    for what, id_field in (("runs", "run_id"), ("experiments", "experiment_id")):
        for one in _all(server, what):
            if MARK in str(one.get("display_name")) or str(one[id_field]).lower().startswith(MARK):
                _delete(server, f"/{what}/{one[id_field]}")
    for pipeline in _all(server, "pipelines"):
        if MARK in str(pipeline.get("name") or pipeline.get("display_name")):
            place = f"/pipelines/{pipeline['pipeline_id']}"
            for version in _all(server, f"pipelines/{pipeline['pipeline_id']}/versions"):
                _delete(server, f"{place}/versions/{version['pipeline_version_id']}")
            _delete(server, place)


def _all(server: Server, what: str) -> list[dict[str, Any]]:
    found, token = [], ""
    while True:
        query = {"page_size": "200", "page_token": token}
        answer = requests.get(f"{server.host}{API}/{what}", query, headers=dict(server.headers), timeout=120).json()
        name = "pipeline_versions" if what.endswith("versions") else urlsplit(what).path
        found += answer.get(name, [])
        if not (token := answer.get("next_page_token", "")):
            return found


def _delete(server: Server, path: str) -> None:
    requests.delete(server.host + API + path, headers=dict(server.headers), timeout=120).raise_for_status()
