"""Takes values for the types that a pipeline's inputs have, as they are or not at all; says in words what they are.

Nothing is coerced but text that spells a number or a boolean where one is wanted. And nothing is let through that
would be expanded on its way to a step (EXPANSIONS): whoever may name a file could have expressions evaluated in a
cluster. It cannot be escaped: a value passes each who expands once or more, by the shape of the pipeline, and an
escape would have to survive all but the last.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

UNFIT: Any = object()
LARGEST_INTEGER = 2**53 - 1  # KFP carries numbers as JSON doubles
INTEGER = re.compile(r"[+-]?[0-9]{1,16}")
LONGEST_VALUE_SHOWN = 60
DECIMAL = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,3})?")

KFP, VERTEX = "kfp", "vertex"


@dataclass(frozen=True)
class Expansion:
    """Text, a pattern of it, that somebody expands at these kinds of target. A ``macro`` is for who starts a run, so
    that a stack file may mean it."""

    text: str
    by: str
    targets: tuple[str, ...] = (KFP,)
    macro: bool = False


# Of two that match at one place, the first says who it is.
EXPANSIONS = (
    # kubeflow/pipelines, backend/src/common/util/parameter_formatter.go; the last was seen at a server of 2.17.0.
    Expansion(r"\[\[(?:RunUUID|CurrentTime|ScheduledTime|Index)", "KFP's server", macro=True),
    Expansion(r"\{\{(?:\$\.(?:currentTime|scheduledTime)|workflow\.uid\}\})", "KFP's server", macro=True),
    # Placeholders of the pipeline language itself, which the runtime of either fills in where it builds a step's
    # command (kubeflow/pipelines, v2/component/launcher_v2.go). Vertex AI's has no public source: it is not known to
    # leave alone what came in by a parameter, as it does with Argo's (kubeflow/pipelines#7614).
    Expansion(r"\{\{\$", "the pipeline's runtime", (KFP, VERTEX)),
    # Argo's workflow holds a run's parameters as text (argocompiler/dag.go), and it evaluates even {{=this}}.
    Expansion(r"\{\{", "Argo"),
    # Kubernetes, third_party/forked/golang/expansion: in the arguments of each container, here KFP's driver and every
    # step. Vertex AI documents it for a container's env, and not for arguments.
    Expansion(r"\$\$|\$\([-._a-zA-Z][-._a-zA-Z0-9]*\)", "Kubernetes"),
)
PATTERNS = {
    target: re.compile("|".join(f"({known.text if target in known.targets else '(?!)'})" for known in EXPANSIONS))
    for target in (KFP, VERTEX)
}


def as_type(kind: str, value: Any) -> Any:
    """A value for an input of a type (STRING, NUMBER_INTEGER, LIST, ...), or ``UNFIT``."""
    return FITTERS.get(kind, lambda _: UNFIT)(value)


def _string(value: Any) -> Any:
    return value if isinstance(value, str) and _is_json(value) else UNFIT


def _integer(value: Any) -> Any:
    if isinstance(value, str) and INTEGER.fullmatch(value):
        value = int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    whole = isinstance(value, int) and not isinstance(value, bool)
    return value if whole and abs(value) <= LARGEST_INTEGER else UNFIT


def _double(value: Any) -> Any:
    if isinstance(value, str) and DECIMAL.fullmatch(value):
        value = float(value)
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) <= LARGEST_INTEGER:
        value = float(value)
    return value if isinstance(value, float) and math.isfinite(value) else UNFIT


def _boolean(value: Any) -> Any:
    if isinstance(value, str):
        return {"true": True, "false": False}.get(value.lower(), UNFIT)
    return value if isinstance(value, bool) else UNFIT


def _list(value: Any) -> Any:
    return value if isinstance(value, list) and _is_json(value) else UNFIT


def _struct(value: Any) -> Any:
    return value if isinstance(value, dict) and _is_json(value) else UNFIT


def _is_json(value: Any) -> bool:
    """Whether a value can be sent and arrives as it is.

    Python reads 1e999 as infinity and half a character as text, JMESPath can return an expression, and a whole number
    that is too large for a double would arrive as another.
    """
    try:
        json.dumps(value, allow_nan=False, ensure_ascii=False).encode()
        return not _loses_digits(value)
    except (ValueError, TypeError, RecursionError):
        return False


def _loses_digits(value: Any) -> bool:
    if isinstance(value, dict | list):
        return any(map(_loses_digits, value.values() if isinstance(value, dict) else value))
    return isinstance(value, int) and abs(value) > LARGEST_INTEGER


FITTERS: Mapping[str, Callable[[Any], Any]] = {
    "STRING": _string,
    "NUMBER_INTEGER": _integer,
    "NUMBER_DOUBLE": _double,
    "BOOLEAN": _boolean,
    "LIST": _list,
    "STRUCT": _struct,
}


def describe(value: Any) -> str:
    """What a value is, without what it says: it may come from a file, and logs must not carry payloads."""
    return _kind_and_length(value) if isinstance(value, str | list | dict) else show(value)


def show(value: Any) -> str:
    """A short value as JSON has it, text in single quotes; a long one by its length."""
    try:
        text = repr(value) if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        if not text.isprintable():  # half a character, which no terminal takes
            text = json.dumps(value)
    except (ValueError, TypeError, RecursionError):
        return "what JSON cannot hold"
    return text if len(text) <= LONGEST_VALUE_SHOWN else _kind_and_length(value)


def _kind_and_length(value: Any) -> str:
    kinds: Mapping[type, str] = {str: "text", list: "a list", dict: "a map"}
    kind = kinds.get(type(value))
    return f"{kind} of length {len(value)}" if kind else "a long number"


def expanded(value: Any, target: str, *, but_macros: bool = False) -> tuple[str, str] | None:
    """The first text in a value that a kind of target would expand, and who would; None if nothing is.

    Raises:
        RecursionError: the value nests too deeply.
    """
    for found in PATTERNS[target].finditer(str(value)):
        known = EXPANSIONS[int(found.lastindex or 1) - 1]
        if not (but_macros and known.macro):
            return found[0], known.by
    return None
