"""Samples of a trigger's events, kept beside its stack file: tests of a mapping, without a line of code.

``samples/STACK/TRIGGER/`` has files as they arrive: objects, messages, log entries, firings, or whole deliveries
(``*.event.json``). Beside each stands in ``FILE.expected.json`` what its run is given, ``{"parameters": {...}}``, or
that there is none: ``{"outcome": "skipped", "reason": "not match"}``, where the reason may be a part of it.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, get_args

from ops.errors import OperationError
from ops.trying.attempt import Attempt, Outcome, try_event
from ops.trying.given import (
    BESIDE,
    Given,
    given_deliveries,
    given_entries,
    given_firing,
    given_message,
    given_object,
    read_message,
)
from ops.trying.planned import PlannedTrigger, planned_triggers
from rehearsal.program import Plan

SAMPLES, EXPECTED, AS_DELIVERED = "samples", ".expected.json", ".event.json"


@dataclass(frozen=True)
class WrongSample:
    """A sample that is not what it is said to be, by its path from the stack file, and what to do."""

    file: str
    what: str
    fix: str


def has_samples(stack: str, root: Path) -> bool:
    """Whether there is a directory of samples beside a stack file; ``root`` is where that is."""
    return (root / SAMPLES / stack).is_dir()


def check_samples(plan: Plan, root: Path) -> Iterator[WrongSample]:
    """Takes each sample beside a stack file through its trigger."""
    directory = root / SAMPLES / plan.stack
    triggers = {trigger.name: trigger for trigger in planned_triggers(plan)}
    for path in sorted(directory.iterdir()):
        name = path.relative_to(root).as_posix()
        if path.name.startswith("."):
            continue
        if path.name not in triggers:
            close = difflib.get_close_matches(path.name, triggers, n=1)
            meant = f"did you mean {close[0]}? " if close else ""
            yield WrongSample(
                name, f"stack {plan.stack} has no such trigger", f"{meant}it has: {', '.join(triggers)}"
            )
        else:
            yield from _check_directory(triggers[path.name], path, root)


def given_sample(trigger: PlannedTrigger, path: Path) -> Given:
    """The delivery of a sample.

    Raises:
        OperationError: it is none of the trigger's kind.
    """
    if path.name.endswith(AS_DELIVERED):
        return _one(given_deliveries(path.read_bytes()), path)
    match trigger.kind:
        case "gcs":
            return given_object(trigger, None, path)
        case "log":
            return _one(given_entries(path.read_bytes(), str(path)), path)
        case "schedule":
            return given_firing(trigger, _moment(path))
    return given_message(*read_message(path.read_bytes()))


def _check_directory(trigger: PlannedTrigger, directory: Path, root: Path) -> Iterator[WrongSample]:
    files = sorted(path for path in directory.iterdir() if path.is_file() and not path.name.startswith("."))
    beside = [path for path in files if path.name.endswith((EXPECTED, BESIDE))]
    for path in files:
        name = path.relative_to(root).as_posix()
        try:
            if path not in beside:
                yield from _check(trigger, path, name)
            elif _sample_of(path) not in files:
                yield WrongSample(name, f"there is no {_sample_of(path).name} that it stands beside", "delete it")
        except OperationError as error:
            what, _, fix = str(error).rpartition("; ")
            yield WrongSample(name, what or fix, fix if what else "")


def _check(trigger: PlannedTrigger, path: Path, name: str) -> Iterator[WrongSample]:
    attempt = try_event(trigger, given_sample(trigger, path))
    came = _came_of(attempt)
    expected = path.with_name(path.name + EXPECTED)
    if not expected.is_file():
        fix = f"write into it what comes of it now, if that is right: {json.dumps(came, ensure_ascii=False)}"
        yield WrongSample(name, f"there is no {expected.name} beside it", fix)
        return
    wanted = _read_expected(expected)
    for what in _differences(wanted, came):
        yield WrongSample(name, what, f"mend the mapping, or {expected.name}")


def _differences(wanted: Mapping[str, Any], came: Mapping[str, Any]) -> Iterator[str]:
    if "outcome" in wanted or "outcome" in came:
        outcome, reason = came.get("outcome", "launched"), str(came.get("reason", ""))
        if outcome != wanted.get("outcome", "launched"):
            because = f" ({reason})" if reason else ""
            yield f"it is {outcome}{because}, and was to be {wanted.get('outcome', 'launched')}"
        elif wanted.get("reason", "") not in reason:
            yield f"it is {outcome} because {reason}, and not because {wanted['reason']}"
        return
    ours, theirs = wanted["parameters"], came["parameters"]
    for name in sorted({*ours, *theirs}):
        if name not in ours or name not in theirs or not _same(ours[name], theirs[name]):
            is_now = json.dumps(theirs[name], ensure_ascii=False) if name in theirs else "left to the pipeline"
            was = json.dumps(ours[name], ensure_ascii=False) if name in ours else "left to the pipeline"
            yield f"parameter {name} is {is_now}, and was to be {was}"


def _same(one: Any, other: Any) -> bool:
    """As JSON has it, where true is not 1."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def _came_of(attempt: Attempt) -> dict[str, Any]:
    if attempt.outcome == "launched":
        return {"parameters": attempt.sent}
    return {"outcome": attempt.outcome, "reason": attempt.reason}


def _read_expected(path: Path) -> Mapping[str, Any]:
    try:
        found: dict[str, Any] = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise OperationError(f'{path.name} is not JSON: {error}; write {{"parameters": {{...}}}}') from None
    match found:
        case {"parameters": dict(), **rest} if not rest:
            return found
        case {"outcome": str(outcome), **rest} if outcome in get_args(Outcome) and _is_reason(rest):
            return found
    raise OperationError(
        f'{path.name} says nothing that can be expected; write {{"parameters": {{...}}}}, or '
        f'{{"outcome": "skipped", "reason": "..."}}, where the outcome is one of {", ".join(get_args(Outcome))}'
    )


def _is_reason(rest: Mapping[str, Any]) -> bool:
    return rest.keys() <= {"reason"} and isinstance(rest.get("reason", ""), str)


def _sample_of(path: Path) -> Path:
    return path.with_name(path.name.removesuffix(EXPECTED).removesuffix(BESIDE))


def _moment(path: Path) -> datetime:
    try:
        return datetime.fromisoformat(json.loads(path.read_bytes())["time"])
    except (ValueError, KeyError, TypeError, RecursionError):
        raise OperationError(f'{path.name} says no time; write {{"time": "2026-11-29T02:30:00Z"}}') from None


def _one(found: Iterator[Given], path: Path) -> Given:
    given = [*found]
    if len(given) != 1:
        raise OperationError(f"{path.name} has {len(given)} events; a sample is one")
    return given[0]
