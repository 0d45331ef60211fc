"""`python -m ops` is `pipeline-trigger`."""

from ops.cli import main

main()
