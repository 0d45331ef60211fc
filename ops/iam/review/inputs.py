"""Where the two sides of a comparison come from: manifests in files or revisions, and recorded previews."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ops.errors import OperationError
from ops.iam.comparing.caveats import PARTIAL, caveats_of
from ops.iam.comparing.compare import compare
from ops.iam.comparing.report import Comparison
from ops.iam.kept.manifest import MANIFESTS, Manifest
from ops.iam.paths.paths import new_paths
from ops.iam.reading.preview import DRY, read_preview
from rehearsal.program import ROOT

STDIN = "-"
NOW = "the working tree"


def compared(first: str, second: str | None, stack: str | None, root: Path = ROOT) -> list[Comparison]:
    """A preview; or a revision and the working tree; or two revisions; or two manifests.

    Raises:
        OperationError: one of them is not there, or is something else.
    """
    files = [name for name in (first, second) if name and _is_file(name)]
    if files and stack:
        raise OperationError(
            f"--stack chooses among the manifests of revisions, and {files[0]} is a file: leave it out"
        )
    if second is None and files:
        return [of_preview(_parsed(_text(first), first), "the preview" if first == STDIN else first)]
    if len(files) > 1:
        before, after = (_manifest(_text(path), path) for path in files)
        return [of_manifests(f"{first} → {second}", before, after)]
    if files:
        raise OperationError(
            f"{first} and {second}: give one preview, two manifests, or one or two git revisions; to compare a file "
            f"with a revision, print that first: git show REVISION:{MANIFESTS}/dev.json > before.json"
        )
    return _of_revisions(first, second, stack, root)


def of_preview(document: Any, name: str) -> Comparison:
    """What a preview would change."""
    preview = read_preview(document, name)
    changes = compare(preview.before, preview.after)
    opened = new_paths(preview.before, preview.after)
    caveats = [*([] if preview.whole or not changes else [PARTIAL]), *caveats_of(changes, "preview")]
    return Comparison(name, changes, caveats, preview.violations, preview.other_steps, opened)


def of_manifests(title: str, before: Manifest | None, after: Manifest | None) -> Comparison:
    """What changed between two manifests; a missing one gives nothing to anybody."""
    old, new = ([entry.permission for entry in side.grants] if side else [] for side in (before, after))
    changes = compare(old, new)
    return Comparison(title, changes, caveats_of(changes, "manifest"), paths=new_paths(old, new))


def _of_revisions(before: str, after: str | None, stack: str | None, root: Path) -> list[Comparison]:
    for revision in filter(None, (before, after)):
        if not _git(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}"):
            raise OperationError(
                f"{revision} is neither a file nor a git revision here; in a shallow clone fetch it first: "
                f"git fetch origin {revision}"
            )
    names = sorted({*stacks_at(before, root), *stacks_at(after, root)})
    if stack:
        if stack not in names:
            there = ", ".join(names) or "none"
            raise OperationError(f"neither side has {MANIFESTS}/{stack}.json; there: {there}; make it with: make iam")
        names = [stack]
    if not names:
        raise OperationError(f"neither side has a manifest in {MANIFESTS}/; make them with: make iam")
    sides = ((name, manifest_at(before, name, root), manifest_at(after, name, root)) for name in names)
    return [of_manifests(f"{MANIFESTS}/{name}: {before} → {after or NOW}", old, new) for name, old, new in sides]


def stacks_at(revision: str | None, root: Path) -> Iterable[str]:
    """The stacks that have a manifest at a revision, None standing for the working tree."""
    if revision is None:
        names = [path.name for path in (root / MANIFESTS).glob("*.json")]
    else:
        names = _git(root, "ls-tree", "--name-only", revision, f"{MANIFESTS}/").splitlines()
    return (Path(name).stem for name in names if re.fullmatch(r"(.*/)?[^./]+\.json", name))


def manifest_at(revision: str | None, stack: str, root: Path) -> Manifest | None:
    """A stack's manifest at a revision, None standing for the working tree."""
    path = f"{MANIFESTS}/{stack}.json"
    if stack not in stacks_at(revision, root):
        return None
    if revision is None:
        return _manifest(_text(str(root / path)), path)
    return _manifest(_git(root, "show", f"{revision}:./{path}"), f"{path} at {revision}")


def text_at(revision: str | None, name: str, root: Path) -> str:
    """A file at a revision; empty where there is none."""
    if revision is None:
        return _text(str(root / name)) if (root / name).is_file() else ""
    return _git(root, "show", f"{revision}:./{name}")


def _git(root: Path, *arguments: str) -> str:
    """What git prints, and nothing where it fails."""
    try:
        done = subprocess.run(["git", "-C", root, *arguments], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise OperationError("git is not installed, and compares revisions; give two manifests instead") from None
    return done.stdout if done.returncode == 0 else ""


def _is_file(name: str) -> bool:
    return name == STDIN or name.endswith(".json") or Path(name).is_file()


def _text(name: str) -> str:
    try:
        return sys.stdin.read() if name == STDIN else Path(name).read_text(encoding="utf-8-sig")
    except OSError as error:
        raise OperationError(f"{name} cannot be read: {error.strerror}; make a preview with: {DRY}") from None
    except UnicodeDecodeError:
        raise OperationError(
            f"{name} is not text, so neither a preview nor a manifest; make it anew: {DRY}"
        ) from None


def _parsed(text: str, name: str) -> Any:
    try:
        return json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        hint = "; it looks like the events of PULUMI_ENABLE_STREAMING_JSON_PREVIEW: unset that" * ("sequence" in text)
        raise OperationError(f"{name} is not JSON: {error}{hint}; make it anew: {DRY}") from None


def _manifest(text: str, name: str) -> Manifest:
    try:
        return Manifest.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise OperationError(
            f"{name} is no manifest: {where}: {first['msg']}; manifests are written by `make iam`, and a preview is "
            "compared alone: pipeline-trigger iam diff PREVIEW.json"
        ) from None
