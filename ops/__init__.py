"""What people run: the `pipeline-trigger` command."""
