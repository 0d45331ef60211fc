"""What the CLI itself makes of a stack file is what our reader makes of it, and what a refusal says that it is."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from infra.configuration.stack_file import read_stack
from infra.dialect import Unclear, read_bare
from tests.infra.yaml_v3 import RefusedError, resolve

TABLE = {
    "2026-11-25": "2026-11-25 00:00:00 +0000 UTC",
    "2026-11-25T10:00:00Z": "2026-11-25 10:00:00 +0000 UTC",
    "2026-11-25T10:00:00+02:00": "2026-11-25 10:00:00 +0200 +0200",
    "2026-1-2 3:4:5.60": "2026-01-02 03:04:05.6 +0000 UTC",
    "089": 89,
    "0451": 297,
    "1e3": 1000,
    "0o17": 15,
    "no": "no",
    "on": "on",
    "yes": "yes",
    "12:30": "12:30",
    "190:20:30": "190:20:30",
    "12345678901234567890": 12345678901234567000,
    "1.0": 1,
    "1_000": 1000,
    "~": None,
    "True": True,
}
SIGNS, HEADS = ("", "-", "+"), ("", "0", "0x", "0X", "0b", "0B", "0o", "0O", "00", ".", "1", "1.", "8")
TAILS = ("", "1", "0", "9", "f", "_1", "1_", "e3", "1e3", "E-2", "e", ".5", ".", "x", ":30", "1:2.5")
BUILT = [
    f"{sign}{head}{tail}"
    for sign, head, tail in itertools.product(SIGNS, HEADS, TAILS)
    if head + tail and f"{sign}{head}{tail}" not in ("-", "+")
]
LARGE = [
    f"{sign}{digits}"
    for sign in SIGNS
    for digits in (
        "9007199254740992",
        "9007199254740993",
        "9223372036854775808",
        "18446744073709551616",
        "1e400",
        "1e21",
    )
] + [
    "0xffffffffffffffff",
    "0x1ffffffffffffffff",
    "0777777777777777777777777",
    "0b-1",
    "0o+7",
    "2026-02-30",
    "2026-13-1",
]


class Cli:
    """The CLI in a project and with a backend of its own."""

    def __init__(self, program: Path, home: Path) -> None:
        self.program, self.home = program, home
        (home / "state").mkdir()
        (home / "Pulumi.yaml").write_text("name: event-triggered-pipelines\nruntime: python\n")
        self._run("stack", "init", "dialect")

    def _run(self, *arguments: str) -> str:
        environment = {
            **os.environ,
            "PULUMI_BACKEND_URL": f"file://{self.home / 'state'}",
            "PULUMI_HOME": str(self.home),
            "PULUMI_CONFIG_PASSPHRASE": "",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
        }
        done = subprocess.run(
            [self.program, *arguments], cwd=self.home, env=environment, capture_output=True, text=True, check=True
        )
        return done.stdout

    def read(self, text: str) -> dict[str, Any]:
        """What the CLI hands to the program, by the keys of the configuration."""
        self.file.write_text(text)
        found = json.loads(self._run("config", "--stack", "dialect", "--json"))
        return {key: each.get("value") for key, each in found.items()}

    @property
    def file(self) -> Path:
        return self.home / "Pulumi.dialect.yaml"


@pytest.fixture
def pulumi(cli: Path, tmp_path: Path) -> Cli:
    return Cli(cli, tmp_path)


def test_the_cli_reads_scalars_by_the_rules_that_ours_are_held_to(pulumi: Cli) -> None:
    written = [text for text in (*TABLE, *BUILT, *LARGE) if not text.endswith(":")]
    given = json.loads(pulumi.read("config:\n  a:b:\n" + "".join(f"    - {text}\n" for text in written))["a:b"])
    assert len(given) == len(written)
    for text, by_the_cli in zip(written, given, strict=True):
        ours = read_bare(text)
        by_rule = resolve(text)
        if by_rule == "time":
            assert f"the text {by_the_cli} to the Pulumi CLI" in ours.problem
        elif isinstance(by_the_cli, int) and abs(by_the_cli) > 2**53:
            assert float(by_rule) == float(by_the_cli), text
        else:
            assert (type(by_rule), by_rule) == (type(by_the_cli), by_the_cli), text
        if not isinstance(ours, Unclear):
            assert (type(ours), ours) == (type(by_the_cli), by_the_cli), text
    assert dict(zip(written, given, strict=True)).items() >= TABLE.items()


@pytest.mark.parametrize("text", [".inf", "-.Inf", ".nan"])
def test_the_cli_refuses_what_is_no_number(pulumi: Cli, text: str) -> None:
    with pytest.raises(RefusedError):
        resolve(text)
    with pytest.raises(subprocess.CalledProcessError):
        pulumi.read(f"config:\n  a:b: [{text}]\n")


@pytest.mark.parametrize(
    "content",
    [
        "config:\n  a:b: on\n  a:c: 12:30\n  a:d: 1.0\n  a:e:\n  a:f: 0x1F\n  triggers: [no]\n",
        "config:\n  a:b: {1: x, 1.0e+1: y, true: z, on: w, 12:30: v, 1.5: u}\n",
        "own: &own {x: on, y: 1}\nconfig:\n  a:b:\n    <<: *own\n    x: 2\n  a:c: [*own]\n",
        "own: &own {x: 1, y: 1}\nconfig:\n  a:b:\n    <<: [*own, {x: 2, z: 3}]\n",
        "own: &own {a:x: 1}\nconfig:\n  <<: *own\n  a:y: 2\n",
        "config:\n  a:b: [! 5, ! '5', !!str 089, !!int 0x1F, !!float 5, !!bool true, !!null ~, !!int '7']\n",
        "\ufeffconfig:\n  a:b: [on,\n    off 1\n    2]\n  a:c: |\n    2026-11-25\n",
        "%YAML 1.1\n---\nconfig:\n  a:b: {a: on, b: 12:30, 'c': '089'}\n",
    ],
)
def test_a_whole_file_is_read_as_the_cli_reads_it(pulumi: Cli, content: str) -> None:
    def parsed(config: dict[str, Any]) -> str:
        values = {key: json.loads(text) if text[:1] in ("{", "[") else text for key, text in config.items()}
        return json.dumps(values, sort_keys=True)

    by_the_cli = pulumi.read(content)
    assert parsed(read_stack(str(pulumi.file))[1]) == parsed(by_the_cli)
