"""`python -m ops` is `pipeline-trigger`."""

import sys
from functools import partial

from rehearsal.signals import end_at_once


def main() -> None:
    """Runs the command, once it can be told to end: its imports, which are late for that reason, take a second."""
    end_at_once()
    from ops.scripts import asked_for_json, error_line

    if asked_for_json(sys.argv[1:]):
        end_at_once(last_words=partial(error_line, "interrupted", "it was interrupted"))
    from ops.cli import main as run_command

    run_command()


if __name__ == "__main__":
    main()
