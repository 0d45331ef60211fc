"""The manifest as a page to read, and the files that are kept in git."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path

from rich.console import Console
from rich.text import Text

from infra.configuration.stack_file import stack_names
from infra.errors import ConfigurationError
from ops.errors import OperationError
from ops.iam.catalogue.roles import Catalogue, pinned
from ops.iam.comparing.report import cell, code, place
from ops.iam.comparing.risks import risks_of
from ops.iam.deployer.files import SUFFIXES, deployer_files
from ops.iam.kept.manifest import MANIFESTS, Entry, Manifest, from_plan
from ops.iam.paths.drawing import to_mermaid
from ops.iam.paths.paths import paths_of
from ops.iam.reading.custom import custom_roles
from ops.tables import Prose, print_table
from rehearsal.program import ROOT, Plan, evaluate, read_stack

COLUMNS = ("Role", "On", "Condition", "Why", "Needed by", "Risk")


def files_of(plan: Plan, project: str) -> dict[str, str]:
    """The files about a stack, by name, as they should be: permissions that it gives, and that deploying it takes."""
    manifest, stack = from_plan(plan, project), plan.stack
    texts = {f"{stack}.json": manifest.to_json(), f"{stack}.md": to_markdown(manifest), **deployer_files(plan)}
    return {f"{MANIFESTS}/{name}": text for name, text in texts.items()}


def update(root: Path = ROOT) -> list[str]:
    """Writes the files of every stack anew; returns the names of the files that changed.

    Raises:
        ConfigurationError: the program refuses a stack; the files of the others are written all the same.
    """
    stale, refused = _stale(root)
    (root / MANIFESTS).mkdir(exist_ok=True)
    for name, text in stale.items():
        (root / name).write_text(text)
    if refused:
        raise ConfigurationError("\n".join([*refused, f"what the other stacks have in {MANIFESTS}/ is current"]))
    return sorted(stale)


def check(root: Path = ROOT) -> None:
    """Compares the files with what the program gives and takes now.

    Raises:
        ConfigurationError: the program refuses a stack.
        OperationError: some are stale.
    """
    stale, refused = _stale(root)
    if refused:
        raise ConfigurationError("\n".join(refused))
    if gone := leftover_files(root):
        raise OperationError(f"there is no stack file for {', '.join(gone)}; delete what is left of it")
    if stale:
        raise OperationError(
            f"the permissions changed: {', '.join(sorted(stale))}; read `make iam; git diff {MANIFESTS}`"
        )


def _stale(root: Path) -> tuple[dict[str, str], list[str]]:
    """Of every stack the files that are not as they should be, and why some stacks have none."""
    found: dict[str, str] = {}
    refused = []
    for stack in stack_names(root):
        try:
            name, config = read_stack(stack, root)
            found |= stale_files(evaluate(name, config), config.get("gcp:project", ""), root)
        except ConfigurationError as error:
            refused.append(str(error))
    return found, refused


def stale_files(plan: Plan, project: str, root: Path = ROOT) -> dict[str, str]:
    """Those files of a stack that are not as they should be, and what they should be."""
    return {
        name: text
        for name, text in files_of(plan, project).items()
        if not (root / name).is_file() or (root / name).read_text() != text
    }


def leftover_files(root: Path = ROOT) -> list[str]:
    """The files of stacks that have no stack file any more. Whatever else is in the folder is somebody's own."""
    gone = {path.stem for path in (root / MANIFESTS).glob("*.json")} - set(stack_names(root))
    return sorted(
        f"{MANIFESTS}/{stack}{suffix}"
        for stack in gone
        for suffix in (".json", ".md", *SUFFIXES)
        if (root / MANIFESTS / f"{stack}{suffix}").is_file()
    )


def to_markdown(manifest: Manifest) -> str:
    """A section for each principal, with a row for each permission."""
    return "\n".join(_lines(manifest)) + "\n"


def _lines(manifest: Manifest) -> Iterator[str]:
    yield f"# Permissions of stack {manifest.stack}"
    yield ""
    yield "Written by `make iam` from the program; `make verify` fails when it is stale."
    yield "[docs/iam.md](/docs/iam.md) says how to read it."
    yield ""
    yield f"{_sum(manifest)}, in project `{manifest.project}`."
    for (principal, member), entries in _by_principal(entry for entry in manifest.grants if not entry.is_way):
        yield ""
        yield f"## {principal}"
        yield ""
        yield code(member)
        yield ""
        yield f"| {' | '.join(COLUMNS)} |"
        yield "|---" * len(COLUMNS) + "|"
        yield from (f"| {' | '.join(_cells(entry))} |" for entry in entries)
    yield from _lines_of_ways([entry for entry in manifest.grants if entry.is_way])
    yield from _lines_of_paths(manifest)


def _lines_of_ways(ways: Sequence[Entry]) -> Iterator[str]:
    """What is no grant: whom things run and call as, what they take and where they send."""
    if ways:
        yield from ("", "## What things do by themselves", "")
        yield from ("| What | Does | On | Which means | Needed by |", "|---" * 5 + "|")
    for way in ways:
        cells = (code(way.member), code(way.role), code(place(way.permission)), cell(way.reason))
        yield f"| {' | '.join((*cells, cell(', '.join(way.triggers))))} |"


def _lines_of_paths(manifest: Manifest) -> Iterator[str]:
    """Who can become whom, as a list and drawn."""
    found = paths_of([entry.permission for entry in manifest.grants])
    listed = [path for path in found if not path.who.startswith("function ")]
    if listed:
        yield from ("", "## Who can become whom", "", "| Who | | Whom | How |", "|---" * 4 + "|")
        for path in listed:
            yield f"| {cell(path.starts)} | {path.verb} | {cell(path.whom)} | {cell(path.by)} |"
        yield from ("", to_mermaid(found))


def to_terminal(manifest: Manifest, console: Console) -> None:
    """Prints the same as a table; in a pipe with all that somebody may look for: whole names, and what roles hold."""
    console.print(Text(f"Permissions of stack {manifest.stack}: {_sum(manifest)}", "bold"))
    headings = ["who", "for", "member", "role", "on", "condition", Prose("why"), Prose("risk")]
    rows = [_row(entry) for entry in manifest.grants]
    if not console.is_terminal:
        headings += ["resource", "holds"]
        roles = roles_of(manifest)
        rows = [(*row, e.resource, roles.holds(e.role)) for row, e in zip(rows, manifest.grants, strict=True)]
    print_table(headings, rows, console)


def roles_of(manifest: Manifest) -> Catalogue:
    """The catalogue, with the custom roles that a manifest defines."""
    return pinned().also(custom_roles([entry.permission for entry in manifest.grants]))


def _by_principal(entries: Iterable[Entry]) -> Iterator[tuple[tuple[str, str], Iterator[Entry]]]:
    return groupby(entries, key=lambda entry: (entry.principal, entry.member))


def _sum(manifest: Manifest) -> str:
    given = [entry for entry in manifest.grants if not entry.is_way]
    principals = len({entry.member for entry in given})
    high = sum(bool(entry.violations) for entry in given)
    return f"{len(given)} permissions ({high} high) for {principals} principals"


def _row(entry: Entry) -> tuple[str, ...]:
    risks = "; ".join(f"{risk.level}: {risk.text}" for risk in risks_of(entry.permission))
    what = (entry.member, entry.role, place(entry.permission), entry.condition)
    return entry.principal, ", ".join(entry.triggers), *what, entry.reason, risks


def _cells(entry: Entry) -> tuple[str, ...]:
    condition = f"{cell(entry.condition_title)}: {code(entry.condition)}" if entry.condition else ""
    risks = [f"**high: {risk.text}**" if risk.level == "high" else risk.text for risk in risks_of(entry.permission)]
    role, on = code(entry.role), code(place(entry.permission))
    return role, on, condition, cell(entry.reason), cell(", ".join(entry.triggers)), "; ".join(risks)
