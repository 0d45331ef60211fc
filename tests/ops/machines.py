"""A machine with a Pulumi CLI on it that only writes down how it was called."""

import stat
from pathlib import Path

FAKE_CLI = """#!/bin/sh
case "$1 $2" in
  version*) echo v{version} ;;
  "whoami --verbose") echo '{{"user": "me", "url": "https://api.pulumi.com/me"}}' ;;
  whoami*) {whoami} ;;
  "stack export") echo '{state}' ;;
  "stack ls") echo '[{stacks}]' ;;
  *) echo "$PWD: pulumi $*" >> "{log}"; {then} ;;
esac
"""


def install_cli(
    machine: Path,
    log: Path,
    version: str = "3.272.0",
    whoami: str = "echo me",
    then: str = ":",
    state: str = "{}",
    stacks: str = "",
) -> None:
    program = machine / "pulumi"
    program.write_text(
        FAKE_CLI.format(version=version, whoami=whoami, log=log, then=then, state=state, stacks=stacks)
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
