"""What GitHub says of a pull request: which files it changes, and who has approved which commit of it."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any

from ops.errors import OperationError

WORDS = re.compile(r"(^|\s)iam-reviewed(\s|$)")
DECIDES = frozenset({"APPROVED", "CHANGES_REQUESTED", "DISMISSED"})
LISTED = 3000  # files that GitHub lists of a pull request; the rest it keeps to itself


@dataclass(frozen=True)
class PullRequest:
    """One commit of a pull request. ``paths`` are the files that it changes, moves or deletes; None is not known."""

    head: str
    paths: frozenset[str] | None
    reviewers: tuple[str, ...]


def fetch(number: str, head: str, repository: str, default_branch: str) -> PullRequest:
    """Asks GitHub, by its command.

    Raises:
        OperationError: it does not answer, or the pull request is not the one that was evaluated any more.
    """
    path = f"repos/{repository}/pulls/{number}"
    files = [file for page in _ask(f"{path}/files?per_page=100", "--paginate", "--slurp") for file in page]
    reviews = chain.from_iterable(_ask(f"{path}/reviews?per_page=100", "--paginate", "--slurp"))
    found = _ask(path)
    author = found["user"]["login"]
    approving = [name for name in approvals(reviews, head) if name != author]
    reviewers = tuple(name for name in approving if _may_write(repository, name))
    if found["head"]["sha"] != head:
        raise OperationError(f"the pull request is not at {head} any more: a run of its own judges what was pushed")
    if found["base"]["ref"] != default_branch:
        raise OperationError(f"the pull request is not for {default_branch}, whose tools and rules these are")
    known = len(files) == found["changed_files"] < LISTED
    return PullRequest(head, frozenset(_paths(files)) if known else None, reviewers)


def approvals(reviews: Iterable[Mapping[str, Any]], head: str) -> list[str]:
    """Who approves this commit in these words, and has not said otherwise since. A program approves nothing."""
    last: dict[str, Mapping[str, Any]] = {}
    for review in reviews:
        user = review["user"] or {}  # an account that is gone
        if review["state"] in DECIDES and user.get("type") == "User":
            last[user["login"]] = review
    return [
        name
        for name, review in last.items()
        if (review["state"], review["commit_id"]) == ("APPROVED", head) and WORDS.search(review["body"] or "")
    ]


def _paths(files: Iterable[Mapping[str, Any]]) -> Iterable[str]:
    for file in files:
        yield file["filename"]
        if "previous_filename" in file:
            yield file["previous_filename"]


def _may_write(repository: str, name: str) -> bool:
    return _ask(f"repos/{repository}/collaborators/{name}/permission")["permission"] in ("admin", "write")


def _ask(*arguments: str) -> Any:
    done = subprocess.run(("gh", "api", *arguments), capture_output=True, text=True, check=False)
    if done.returncode:
        raise OperationError(f"GitHub does not answer {arguments[0]}: {done.stderr.strip()[-500:]}")
    return json.loads(done.stdout)
