"""A stack file as it lies on the disk, read as the Pulumi CLI would. Pure: no Pulumi here."""

from __future__ import annotations

import json
from pathlib import Path

import yaml

from infra.errors import ConfigurationError

ROOT = Path(__file__).resolve().parent.parent.parent


def read_stack(stack: str, root: Path = ROOT) -> tuple[str, dict[str, str]]:
    """Reads a stack file, ``dev`` (Pulumi.dev.yaml) or a path; returns the stack's name and configuration.

    Raises:
        ConfigurationError: there is no such file, or it is not YAML.
    """
    path = Path(stack) if stack.endswith((".yaml", ".yml")) else root / f"Pulumi.{stack}.yaml"
    if not path.is_file():
        there = ", ".join(sorted(file.name.split(".")[1] for file in root.glob("Pulumi.*.yaml")))
        raise ConfigurationError(f"there is no stack file {path.name}; choose one of {there}, or give a file's path")
    name = path.name.removeprefix("Pulumi.").rsplit(".", 1)[0]
    try:
        config = (yaml.load(path.read_text(), StackLoader) or {}).get("config") or {}  # noqa: S506 it is a SafeLoader
        return name, {key: value if isinstance(value, str) else json.dumps(value) for key, value in config.items()}
    except (yaml.YAMLError, UnicodeDecodeError, AttributeError, TypeError) as error:
        raise ConfigurationError(f"{path.name} is not a stack file with a block `config:`: {error}") from None


class StackLoader(yaml.SafeLoader):
    """YAML as the Pulumi CLI reads it: a date is text."""

    yaml_implicit_resolvers = {  # noqa: RUF012 the name is PyYAML's
        first: [resolver for resolver in resolvers if resolver[0] != "tag:yaml.org,2002:timestamp"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
