"""`python -m ops.gate PREVIEW COMMENT`, as .github/workflows/preview.yml runs it: 0 lets through, 3 holds."""

import os
import sys
from pathlib import Path

from ops.errors import OperationError
from ops.gate.claim import read_claim
from ops.gate.pull_request import fetch
from ops.gate.verdict import HELD, comment_on, judge


def main() -> int:
    """Writes the comment and says in the exit code whether the pull request is held."""
    preview, comment = map(Path, sys.argv[1:])
    comment.write_text("The permissions of this pull request were not judged: read the log of the job `gate`.\n")
    claim = read_claim(preview)
    pull_request = fetch(
        os.environ["NUMBER"], os.environ["HEAD"], os.environ["GH_REPO"], os.environ["DEFAULT_BRANCH"]
    )
    verdict = judge(claim, pull_request, os.environ["STACK"])
    comment.write_text(comment_on(verdict))
    return HELD if verdict.held else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except OperationError as error:
        sys.exit(f"error: {error}")
