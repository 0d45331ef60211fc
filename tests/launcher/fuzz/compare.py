"""Whether the launcher and the slow programs say the same of a case."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

from function_src.launcher.mapping.functions import FUNCTIONS, BadArgumentError
from function_src.launcher.mapping.glob import BadGlobError, Glob
from tests.launcher.fuzz import globs, texts, times
from tests.launcher.fuzz.cases import KINDS, Arguments
from tests.launcher.fuzz.globs import RefusedError

REFUSED = "refused"
SLOWLY: Mapping[str, Callable[..., Any]] = {
    "glob": globs.capture,
    "lower": texts.lower,
    "upper": texts.upper,
    "trim": texts.trim,
    "split": texts.split,
    "replace": texts.replace,
    "find_first": texts.find_first,
    "find_last": texts.find_last,
    "parse_json": texts.parse_json,
    "format_time": times.format_time,
    "add_time": times.add_time,
}


@dataclass(frozen=True)
class Disagreement:
    """A case, what the launcher gives, and what the docs say."""

    kind: str
    arguments: Arguments
    given: str
    documented: str


def disagreements(kind: str, cases: int, seed: int) -> Iterator[Disagreement]:
    """Plays so many cases of a kind; of one seed always the same."""
    random = Random(f"{kind} {seed}")
    for _ in range(cases):
        arguments = KINDS[kind](random)
        given, documented = given_for(kind, arguments), documented_for(kind, arguments)
        if given != documented:
            yield Disagreement(kind, arguments, given, documented)


def given_for(kind: str, arguments: Arguments) -> str:
    """What the launcher gives, written out: 1, 1.0 and true are not the same."""
    try:
        return repr(_captured(*arguments) if kind == "glob" else FUNCTIONS.call_function(kind, list(arguments)))
    except (BadArgumentError, BadGlobError):
        return REFUSED


def documented_for(kind: str, arguments: Arguments) -> str:
    """What the docs say, by the slow program."""
    try:
        return repr(SLOWLY[kind](*arguments))
    except RefusedError:
        return REFUSED


def _captured(glob: str, name: str) -> dict[str, Any] | None:
    """What a name is taken apart into; and whatever else is said of the glob must fit to that."""
    read = Glob(glob)
    found = read.capture(name)
    assert read.matches(name) is (found is not None)
    assert found is None or (
        name.startswith(read.head) and all(read.can_follow(name[:at]) for at in range(len(name)))
    )
    return found
