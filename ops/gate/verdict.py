"""Whether a pull request is let through: nothing speaks against it, or somebody has reviewed this very commit."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ops.gate.claim import Claim
from ops.gate.pull_request import PullRequest

HELD = 3
LONGEST = 60_000  # characters; GitHub takes 65,536
SHOWN = 20  # paths
# What no evaluation runs, and what the preview is of. All else is code that runs beside the preview and could write
# it, a judge of it, or another stack, which is not previewed.
DATA = r"docs/[\w./-]+\.(md|svg)|[\w.-]+\.md|pipelines/[\w./-]+\.(yaml|yml|json)|Pulumi\.{stack}\.yaml"


@dataclass(frozen=True)
class Verdict:
    """Why a review is asked for, who gave it, and what the pull request claims."""

    head: str
    reasons: tuple[str, ...]
    reviewers: tuple[str, ...]
    markdown: str

    @property
    def held(self) -> bool:
        """Whether a review is asked for and missing."""
        return bool(self.reasons) and not self.reviewers


def judge(claim: Claim, pull_request: PullRequest, stack: str) -> Verdict:
    """Everything that speaks against a pull request. In doubt something does."""
    reasons = [claim.objection] if claim.objection else []
    if pull_request.paths is None:
        reasons.append("it changes more files than GitHub lists, so what it changes is not known")
    elif touched := beyond_data(pull_request.paths, stack):
        more = f" and {len(touched) - SHOWN} more" if len(touched) > SHOWN else ""
        reasons.append(
            "it changes what runs in its preview, what judges it, or what is not previewed, so the preview says what "
            f"the author wants it to: {', '.join(map(_named, touched[:SHOWN]))}{more}"
        )
    return Verdict(pull_request.head, tuple(reasons), pull_request.reviewers, claim.markdown)


def beyond_data(paths: frozenset[str], stack: str) -> list[str]:
    """The files that are more than data of the previewed stack."""
    data = re.compile(DATA.replace("{stack}", re.escape(stack)))
    return sorted(path for path in paths if not data.fullmatch(path))


def comment_on(verdict: Verdict) -> str:
    """The comment: what is held and why, then the table that the pull request claims."""
    if verdict.held:
        said = (
            f"**Held.** Commit `{verdict.head}` waits for an approval with the words `iam-reviewed`, by somebody "
            "else who may write here; then run the failed job again. A push makes it void."
        )
    elif verdict.reasons:
        said = f"**Reviewed** at commit `{verdict.head}` by {', '.join(map(_named, verdict.reviewers))}."
    else:
        said = f"**Let through**: commit `{verdict.head}` broadens nothing, and changes nothing but data."
    reasons = "".join(f"- {reason}\n" for reason in verdict.reasons)
    return shortened(f"## Permissions\n\n{said}\n\n{reasons}\n{verdict.markdown}")


def _named(text: str) -> str:
    """What somebody else has called something: as code, which nothing in it can end."""
    return f"`{re.sub(r'[^A-Za-z0-9_./ -]', '?', text)}`"


def shortened(text: str) -> str:
    """What GitHub takes as a comment, cut between two lines."""
    if len(text) <= LONGEST:
        return text
    return (
        text[:LONGEST].rpartition("\n")[0] + "\n\n**Cut here: the rest is in the artifact `preview` of this run.**\n"
    )
