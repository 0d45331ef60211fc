"""Shows what would become of events: a story for one, a table for many, JSON for scripts."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape

from ops.printing import MARKS
from ops.tables import Prose, print_details, print_table
from ops.trying.attempt import Attempt

LONGEST_TEXT, LONGEST_LIST = 200, 10  # of an event, that people are shown
SPECS = ("pipeline_spec", "pipelineSpec")
WOULD = {
    "launched": ("ok", "a run would start"),
    "skipped": ("problem", "skipped: no run"),
    "rejected": ("problem", "rejected: no run, now or later"),
    "not delivered": ("problem", "not delivered: the launcher does not hear of it"),
}


def show_attempt(attempt: Attempt, notes: Sequence[str], console: Console) -> None:
    """Shows what each part of the trigger says of one event, and what its run would be asked for."""
    for step in attempt.steps:
        console.print(MARKS[step.status], escape(f"{step.part}: {step.what}"))
    for note in notes:
        console.print(MARKS["advice"], escape(note))
    if attempt.document:
        console.print(f"\nevent {escape(json.dumps(_shortened(attempt.document), indent=2, ensure_ascii=False))}")
    if attempt.parameters:
        console.print()
        print_table(
            ("PARAMETER", "TYPE", "FROM", Prose("VALUE")),
            [
                (one.name, one.type, one.comes_from, one.problem or ("" if one.value is None else _value(one.value)))
                for one in attempt.parameters
            ],
            console,
        )
    if attempt.run:
        made_up = f" (the {attempt.made_up} is made up, and so are these)" if attempt.made_up else ""
        console.print()
        run = attempt.run
        print_details([("run", run["name"]), ("id", f"{run['id']}{made_up}"), ("key", run["key"])], console)
        console.print(f"\n{escape(_request(attempt.request))}")
    mark, words = WOULD[attempt.outcome]
    console.print(f"\n{MARKS[mark]} {words}")


def show_attempts(attempts: Sequence[Attempt], console: Console) -> None:
    """Shows a row for each event."""
    print_table(
        ("EVENT", "OUTCOME", "BY", Prose("PARAMETERS, OR WHY NOT")),
        [
            (
                one.event,
                one.outcome,
                one.steps[-1].part if one.reason else "",
                one.reason or ", ".join(f"{name}={_value(value)}" for name, value in one.sent.items()),
            )
            for one in attempts
        ],
        console,
    )
    launched = sum(one.outcome == "launched" for one in attempts)
    console.print(f"\n{launched} of {len(attempts)} would start a run")


def _request(request: Mapping[str, Any]) -> str:
    """A request without the package in it, which is long, and known."""
    body = {key: "(the package)" if key in SPECS else value for key, value in request["json"].items()}
    query = "&".join(f"{key}={value}" for key, value in request["params"].items())
    url = f"{request['url']}?{query}" if query else request["url"]
    return f"{request['method']} {url}\n{json.dumps(body, indent=2, ensure_ascii=False)}"


def _value(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _shortened(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _shortened(item) for key, item in value.items()}
    if isinstance(value, list):
        more = [f"... {len(value) - LONGEST_LIST} more"] if len(value) > LONGEST_LIST else []
        return [*map(_shortened, value[:LONGEST_LIST]), *more]
    if isinstance(value, str) and len(value) > LONGEST_TEXT:
        return f"{value[:LONGEST_TEXT]}... {len(value) - LONGEST_TEXT} more"
    return value
