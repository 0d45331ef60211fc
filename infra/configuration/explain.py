"""What is wrong with a stack file, in words: key, problem and fix."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Sequence
from typing import Any, get_args

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from function_src.launcher.mapping.fitting import show

PROJECT = "event-triggered-pipelines"
GCP_KEYS = ("project", "region")
OWN_KEYS = ("triggers", "ledger_days", "production", "new_region")
NAMESPACES = {"gcp": GCP_KEYS, PROJECT: OWN_KEYS}
KEYS = tuple(f"{namespace}:{key}" for namespace, keys in NAMESPACES.items() for key in keys)
ALIKE = 0.8  # as "regon" is to "region", and no key of the provider is to one of ours
SHAPES = {  # pydantic's name for the error: what was wanted, and what to write
    "list_type": ("list", "write a list: - name: ..."),
    "model_type": ("block of keys", "write key: value, or leave it out"),
    "model_attributes_type": ("block of keys", "write kind: ..."),
    "dict_type": ("block of keys", "write NAME: EXPRESSION"),
    "string_type": ("text", "write it in quotes"),
    "bool_type": ("truth value", "write true or false, without quotes"),
    "int_type": ("whole number", "write one without quotes, as in 7"),
}
BLOCK, LIST, EMPTY = "a block of keys", "a list", "empty"
FIXES = {  # by what was wanted and what was given, where the one for a word or a number would not do
    ("list", BLOCK): "put a dash before the first key of each: - name: ...",
    ("block of keys", LIST): "leave out the dash",
    **{("text", given): "write text instead" for given in (BLOCK, LIST, EMPTY)},
}
HINTS = {
    "project": "pulumi config set gcp:project YOUR_PROJECT_ID",
    "region": "pulumi config set gcp:region us-central1",
    "triggers": "add a trigger, as Pulumi.dev.yaml does",
}


def explain(error: ErrorDetails, stack: type[BaseModel]) -> str:
    """One problem as ``key: what is wrong; what to do``. ``stack`` is the model that found it."""
    path, blocks = _written(stack, error["loc"])
    key, name, context = _key(path), str(path[-1]) if path else "", error.get("ctx", {})
    match error["type"]:
        case "missing":
            return f"{key}: is missing; {HINTS.get(name, f'add {name}')}"
        case shape if shape in SHAPES:
            wanted, example = SHAPES[shape]
            given = _named(error["input"])
            fix = FIXES.get((wanted, given)) or HINTS.get(name, example)
            return f"{key}: is {given}, which is no {wanted}; {fix}"
        case "extra_forbidden":
            known = sorted({field.alias or name for block in blocks for name, field in block.model_fields.items()})
            return f"{key}: unknown key; {did_you_mean(name, known)}"
        case "value_error":
            return f"{key}: {context['error']}" if key else str(context["error"])
        case "literal_error":
            return f"{key}: is {_named(error['input'])}; use {context['expected']}"
        case "union_tag_invalid":
            kinds = " or ".join(context["expected_tags"].rsplit(", ", 1))
            return f"{key}.kind: is {_named(error['input']['kind'])}; use {kinds}"
        case "union_tag_not_found":
            return f"{key}.kind: is missing; add it, one of {', '.join(map(repr, _kinds(blocks)))}"
        case "greater_than_equal":
            return f"{key}: is {_named(error['input'])}; use {context['ge']} or more"
        case "less_than_equal":
            return f"{key}: is {_named(error['input'])}; use {context['le']} or less"
    return f"{key}: is {_named(error['input'])}, which cannot stand there; docs/configuration.md says what can"


def _named(value: Any) -> str:
    """A value as a person would say what stands there."""
    if value is None or value == "":
        return EMPTY
    return BLOCK if isinstance(value, dict) else LIST if isinstance(value, list) else show(value)


def _written(model: type[BaseModel], location: Sequence[int | str]) -> tuple[list[int | str], list[type[BaseModel]]]:
    """A location as it stands in the stack file, and the kinds of block that its last key may stand in.

    Where a block has kinds, pydantic names the kind in the location: ``("triggers", 0, "source", "gcs", "prefix")``.
    """
    path: list[int | str] = []
    around, here = [model], [model]
    for part in location:
        if len(here) > 1 and part in _kinds(here):
            here = [block for block in here if part in _kinds([block])]
            continue
        path.append(part)
        if isinstance(part, str):
            around, here = here, [block for parent in here[:1] for block in _blocks(parent, part)]
    return path, here if len(here) > 1 else around


def _blocks(model: type[BaseModel], name: str) -> list[type[BaseModel]]:
    """The kinds of block that a key may hold; none if it holds something else."""
    field = model.model_fields.get(name)
    found: list[Any] = [field.annotation] if field else []
    blocks = []
    while found:
        annotation = found.pop(0)
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            blocks.append(annotation)
        found += get_args(annotation)
    return blocks


def _kinds(blocks: Sequence[type[BaseModel]]) -> list[str]:
    return [kind for block in blocks for kind in get_args(block.model_fields["kind"].annotation)]


def _key(path: Sequence[int | str]) -> str:
    """``["triggers", 0, "source", "prefix"]`` as one key."""
    if not path:
        return ""
    head, *rest = path
    scope = "gcp" if head in GCP_KEYS else PROJECT
    own = str(head) if head == "stack" else f"{scope}:{head}"
    return own + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in rest)


def explain_keys(keys: Iterable[str]) -> dict[str, str]:
    """The keys of a stack that nobody would read, each with the one that was meant, or nothing where none is like it.

    A provider and Pulumi have keys of their own, so that only what looks like one of ours is taken for a mistake.
    """
    strange = [key for key in keys if key not in KEYS]
    meant = {key: _meant(*key.rpartition(":")[::2]) for key in strange}
    return {key: found for key, found in meant.items() if found or key.startswith(f"{PROJECT}:")}


def _meant(namespace: str, name: str) -> str:
    namespace = closest(namespace, NAMESPACES)
    found = closest(name, NAMESPACES.get(namespace, ()), ALIKE)
    return f"{namespace}:{found}" if found else ""


def did_you_mean(name: str, known: Collection[str]) -> str:
    """What there is, and of it what a name looks like."""
    close = closest(name, known)
    return (f"did you mean {close}? " if close else "") + f"known: {', '.join(known)}"


def closest(name: str, known: Iterable[str], alike: float = 0.6) -> str:
    """What a name looks like a misspelling of, if anything."""
    return next(iter(difflib.get_close_matches(name, known, n=1, cutoff=alike)), "")
