"""Every command that reads a stack file says what it does not hold, and calls that what it is."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from ops.cli import app

COMMANDS = [
    ("rehearse", "--stack"),
    ("chaos", "--stack"),
    ("doctor", "--stack"),
    ("verify", "--stack"),
    ("cost", "--stack"),
    ("preview", "--stack"),
    ("up", "--stack"),
    ("destroy", "--stack"),
    ("recover", "--stack"),
    ("replay", "a-bucket/a-file", "--stack"),
    ("launches", "list", "--stack"),
    ("connect", "--stack"),
    ("runs", "list", "--stack"),
]
HOST = "https://1234abcd-dot-us-central1.pipelines.googleusercontent.com"
FILE = """{environment}
config:
  gcp:project: acme-ml-dev
  gcp:region: us-central1
  event-triggered-pipelines:triggers:{triggers}
"""
TRIGGER = """
    - name: {name}
      source: {{kind: gcs}}
      pipeline: echo
      parameters: {{filename: object.uri}}
      target: {{kind: kfp, host: {host}, access: viewer}}
      identity: app-engine"""
SAID = {
    "secret": (
        TRIGGER.format(name="echo", host="{secure: v1:a:b}"),
        "target.host: is a secret, which only Pulumi can",
    ),
    "date": (
        TRIGGER.format(name="2026-11-25", host=HOST),
        "name: 2026-11-25 is the text 2026-11-25 00:00:00 +0000 UTC",
    ),
    "environment": ("", "may come from the file's environment (shared), which only Pulumi can read"),
}


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("wrong", SAID)
def test_what_the_file_does_not_say_is_named(tmp_path: Path, command: tuple[str, ...], wrong: str) -> None:
    triggers, said = SAID[wrong]
    path = tmp_path / "Pulumi.mine.yaml"
    path.write_text(FILE.format(triggers=triggers, environment="environment: [shared]" if not triggers else ""))
    done = CliRunner().invoke(app, [*command, str(path)], prog_name="pipeline-trigger", env={"COLUMNS": "400"})
    assert done.exit_code == 1, done.output
    assert said in f"{done.output}{done.exception}"
    assert "missing" not in done.output
